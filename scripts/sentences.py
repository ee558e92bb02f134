"""What set-up says, in both languages. Standard library only, and readable by Python 3.7, like all that setup.py imports."""

from __future__ import annotations

import os

ENGLISH, CHINESE = 0, 1

SENTENCES = {
    "begin": (
        "Setting up. This happens once and takes a minute or two.",
        "正在安装。只需一次，大约一两分钟。",
    ),
    "stopped": (
        "\nStopped. Run the same command again to go on.",
        "\n已停止。再次运行同一条命令即可继续。",
    ),
    "read_only": (
        "{file} cannot be written. Set up as a user who may write to this folder.",
        "无法写入 {file}。请使用对此文件夹有写权限的用户来安装。",
    ),
    "no_way": ("Set-up could not go on: {why} ({file}).", "安装无法继续：{why}（{file}）。"),
    "old_python": (
        "Python 3.11 or newer is needed, this is {have}. Where is it? make PYTHON=/path/to/python3.11 run",
        "需要 Python 3.11 或更新的版本，当前是 {have}。请指出它的位置：make PYTHON=/path/to/python3.11 run",
    ),
    # steps, and how far they are
    "python_packages": ("Python packages", "Python 软件包"),
    "page_packages": ("The page's libraries", "页面所用的库"),
    "model": ("The embedding model", "向量模型"),
    "of": ("{count} of {total}", "{count}/{total}"),
    "unpacking": ("unpacking", "正在解包"),
    "fetching": ("fetching 83 MB", "正在下载 83 MB"),
    "converting": ("converting", "正在转换"),
    "done": ("done", "完成"),
    "not_now": ("not now", "暂缺"),
    "no_npm": (
        "npm is not installed here: fetching it for this step",
        "本机没有 npm：为这一步临时下载",
    ),
    # why a command failed, and what to do
    "failed.full": (
        "{what} could not be installed: the disk is full. Free some space and run the same command again.",
        "{what}无法安装：磁盘已满。请腾出空间，然后再次运行同一条命令。",
    ),
    "failed.offline": (
        "{what} could not be fetched: there is no connection. Check the network or {where}, and run the same command again.",
        "{what}无法下载：没有网络连接。请检查网络或{where}，然后再次运行同一条命令。",
    ),
    "failed.changed": (
        "{what} could not be installed: what was fetched is not what was asked for. Check {where}.",
        "{what}无法安装：下载到的内容与要求的不符。请检查{where}。",
    ),
    "failed.absent": (
        "{what} could not be installed: a version that is needed is not offered. Check {where}; details: .venv/setup.log",
        "{what}无法安装：没有所需的版本。请检查{where}；详情见 .venv/setup.log",
    ),
    "failed.other": (
        "{what} could not be installed. The details are at the end of .venv/setup.log",
        "{what}无法安装。详情见 .venv/setup.log 末尾",
    ),
    "where.pip": ("pip's settings (pip config list)", " pip 的设置（pip config list）"),
    "where.npm": ("npm's settings (npm config list)", " npm 的设置（npm config list）"),
    "where.pip_or_node": (
        "pip's settings (pip config list), or install Node.js 20",
        " pip 的设置（pip config list），或者自行安装 Node.js 20",
    ),
    "where.apt": ("apt's sources (/etc/apt)", " apt 的软件源（/etc/apt）"),
    # single steps
    "venv_incomplete": (
        "Python's venv module is not complete. On Debian and Ubuntu: apt install python3-venv",
        "Python 的 venv 模块不完整。在 Debian 和 Ubuntu 上：apt install python3-venv",
    ),
    "venv_failed": ("The folder .venv could not be made: {why}", "无法创建文件夹 .venv：{why}"),
    "vendor_failed": (
        "The page's libraries could not be copied to static/vendor. Delete the folder node_modules and run the same "
        "command again; details: .venv/setup.log",
        "无法把页面所用的库复制到 static/vendor。请删除文件夹 node_modules，然后再次运行同一条命令；详情见 .venv/setup.log",
    ),
    # the embedding model, which the product can do without
    "without_model": (
        "{why} Set-up goes on without the embedding model: documents are found by their words alone. It is tried again in a "
        "day; to try at once, delete the folder models and run the same command again.",
        "{why}安装继续，但没有向量模型：文档只按字词查找。一天后会再试；"
        "如要立即重试，请删除文件夹 models，然后再次运行同一条命令。",
    ),
    "model.full": ("The disk is full.", "磁盘已满。"),
    "model.offline": ("There is no connection to fetch it from.", "没有网络连接，无法下载。"),
    "model.changed": (
        "What was fetched is not the model that was asked for, and was thrown away.",
        "下载到的不是所要求的模型，已丢弃。",
    ),
    "model.absent": (
        "It is not offered where pip looks (pip config list).",
        "在 pip 的软件源中找不到它（pip config list）。",
    ),
    "model.off": (
        "On this machine the converted model computes something else than it should, so it was thrown away.",
        "转换后的模型在本机上的计算结果不正确，已丢弃。",
    ),
    "model.other": (
        "It could not be made; the details are at the end of .venv/setup.log.",
        "无法生成；详情见 .venv/setup.log 末尾。",
    ),
    "model.stopped": (
        "\nStopped. Run the same command again to go on without the embedding model.",
        "\n已停止。再次运行同一条命令，将不带向量模型继续。",
    ),
    # what the tests start
    "tests_need": (
        "The tests need {names}. Install them {hint}",
        "测试需要 {names}。请安装：{hint}",
    ),
    "tests_skipped": (
        "Tests that need {names} are skipped. To run them too, {hint}",
        "将跳过需要 {names} 的测试。如要运行它们：{hint}",
    ),
    "as_root": ("as root: {command}", "以 root 身份运行 {command}"),
    "for_tests": ("For the tests: {names}", "供测试使用：{names}"),
    "tests_without": (
        "They cannot be had just now; the tests that need them are skipped.",
        "暂时无法获取；将跳过需要它们的测试。",
    ),
}


def language() -> int:
    """Return the language of this terminal."""
    tag = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return CHINESE if tag.lower().startswith("zh") else ENGLISH


def sentence(key: str, **words: object) -> str:
    """Return what set-up says."""
    return SENTENCES[key][language()].format(**words)
