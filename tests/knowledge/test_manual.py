"""The built-in model answers a new user's questions from the bundled manual, in both languages.

The questions were written before any retrieval, in a new user's words. Where a section was hard to
find because its wording was unclear, the manual was reworded. Each question comes with the section
that answers it and what the answer must contain.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatapp.chains.extractive import answer
from chatapp.core.fitting import fits
from chatapp.core.prompt import Passage, Prompt
from chatapp.core.text import HEADING_JOINT, is_wide
from chatapp.settings import Settings
from tests.support.shelf import Shelf, make_shelf

MANUAL = Path(__file__).parent.parent.parent / "docs" / "manual"
FOUND_FIRST, ANSWERED = 0.9, 0.75  # of the questions in each language

ENGLISH = (
    (
        "What can you do?",
        "What can you do, and who are you?",
        "answer questions from your own documents",
    ),
    ("Where is my data stored?", "Where is my data stored?", "folder `instance`"),
    ("How do I connect a model?", "How do I connect a model?", "Connect a model"),
    ("What file types are supported?", "Which files can I upload?", "PDF"),
    ("How big can a file be?", "How big can a file be?", "200 MB"),
    (
        "Can I use it without internet?",
        "Does it work without network or internet?",
        "works without internet",
    ),
    ("I forgot my password, what now?", "I forgot my password", "users reset"),
    ("How do I use Ollama?", "Ollama", "11434"),
    ("How do I get an API token?", "How do I get, make or revoke an API token?", "Access tokens"),
    ("Is there a dark mode?", "How do I change the language, or switch to dark mode?", "Settings"),
    ("How can I stop the answer?", "How do I stop an answer?", "Stop"),
    (
        "What happens if I close the browser tab while it is answering?",
        "What happens when I close the page?",
        "goes on",
    ),
    ("How do I delete a file?", "How do I delete a document?", "delete the file"),
    ("How do I make a backup?", "How do I make a backup (back up my data)?", "chatapp backup"),
    (
        "Port 8000 is already in use, what do I do?",
        "It says that the port is taken",
        "choose another port",
    ),
    (
        "How do I run it behind nginx?",
        "How do I put it behind nginx with HTTPS, for other people?",
        "HTTPS in front",
    ),
    (
        "Is my API key safe?",
        "Is my API key safe, where is it stored, and who sees it?",
        "encrypted",
    ),
    ("Does it work with DeepSeek?", "DeepSeek", "api.deepseek.com"),
    ("How do I log in?", "How do I sign in (log in)?", "sign-in link"),
    (
        "How many users can use it at the same time?",
        "How many people can use it at the same time?",
        "2,000",
    ),
    (
        "What does the built-in model do?",
        "What is the built-in model?",
        "quoted from your documents",
    ),
    (
        "How do I upgrade to a newer version?",
        "How do I update or upgrade to a newer version?",
        "Replace the program's files",
    ),
    ("Why can't it read my scanned PDF?", "Can it read scanned PDFs?", "text recognition"),
    (
        "How do I call it with curl?",
        "How do I use the API, for example with curl?",
        "Authorization: Bearer",
    ),
)

CHINESE = (
    ("你能做什么？", "你能做什么，你是谁？", "根据你自己的文档回答问题"),
    ("我的数据存在哪里？", "我的数据存放在哪里？", "`instance` 文件夹"),
    ("怎样连接模型？", "怎样连接模型？", "点击“连接模型”"),
    ("支持哪些文件格式？", "可以上传哪些文件？", "PDF"),
    ("上传的文件最大多大？", "文件最大可以多大，太大怎么办？", "200 MB"),
    ("没有网络能不能用？", "没有网络（断网）能用吗？", "不需要网络"),
    ("忘记密码怎么办？", "忘记密码怎么办，怎样重置？", "users reset"),
    ("怎么用 Ollama？", "Ollama", "11434"),
    ("怎么创建 API 令牌？", "怎样获取、创建或吊销 API 令牌？", "访问令牌"),
    ("有深色模式吗？", "怎样更改语言，或切换深色模式？", "设置"),
    ("怎么让它停止回答？", "怎样停止回答？", "停止"),
    ("关闭网页以后回答还会继续吗？", "关闭页面后回答会丢失吗？", "继续"),
    ("怎么删除上传的文档？", "怎样删除文档？", "删除上传的文件"),
    ("怎么备份？", "怎样备份数据？", "chatapp backup"),
    ("端口被占用了怎么办？", "提示端口已被占用", "换一个端口"),
    ("怎么用 nginx 反向代理？", "怎样放在 nginx 后面，用 HTTPS 供其他人访问？", "HTTPS"),
    ("我的 API 密钥安全吗？", "API 密钥安全吗，存放在哪里，别人能看到吗？", "加密"),
    ("能用 DeepSeek 吗？", "DeepSeek", "api.deepseek.com"),
    ("怎么登录？", "怎样登录？", "登录链接"),
    ("最多可以多少人同时用？", "可以供多少人同时使用？", "2000"),
    ("内置模型是什么？", "内置模型是什么？", "引用最多三句原文"),
    ("怎么升级到新版本？", "怎样更新（升级）到新版本？", "替换程序文件"),
    ("扫描的 PDF 为什么读不了？", "扫描的 PDF 能读吗？", "文字识别"),
    ("怎么用 curl 调用？", "怎样使用 API，例如用 curl 调用？", "令牌"),
)


@pytest.fixture(scope="module")
def manual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    made = make_shelf(Settings(home=tmp_path_factory.mktemp("manual")))
    made.knowledge.install_manual(MANUAL)
    assert made.work() == ["ready", "ready"]
    (bundled,) = (base for base in made.knowledge.bases(made.user) if base["bundled"])
    made.base = bundled["id"]
    yield made
    made.database.close()


def ask(manual: Shelf, question: str) -> tuple[list[Passage], str]:
    passages = manual.search(question)
    return passages, answer(Prompt(question, [], passages, grounded=True))


@pytest.mark.parametrize("asked", [ENGLISH, CHINESE], ids=["en", "zh-CN"])
def test_questions_of_a_new_user_are_answered(
    manual: Shelf, asked: tuple[tuple[str, str, str], ...]
) -> None:
    elsewhere, unanswered = [], []
    for question, section, phrase in asked:
        passages, said = ask(manual, question)
        if not passages or passages[0].heading.split(HEADING_JOINT)[-1] != section:
            elsewhere.append(question)
        if phrase not in said or not fits(question, passages):
            unanswered.append(question)
    assert len(elsewhere) <= (1 - FOUND_FIRST) * len(asked), elsewhere
    assert len(unanswered) <= (1 - ANSWERED) * len(asked), unanswered


def test_each_heading_finds_its_section_and_is_not_quoted_itself(manual: Shelf) -> None:
    headings = [
        line
        for name in ("en.md", "zh-CN.md")
        for line in (MANUAL / name).read_text("utf-8").split("\n")
    ]
    titles = [line.lstrip("# ") for line in headings if line.startswith("### ")]
    found = 0
    for title in titles:
        passages, said = ask(manual, title)
        found += passages[0].heading.split(HEADING_JOINT)[-1] == title
        assert title not in re.split(r" ?\[\d\]\s*|\n", said), said
        assert not passages[0].quote.startswith("#")
    assert found >= 0.95 * len(titles)


@pytest.mark.parametrize("question", ["Who are you?", "你是谁？"])
def test_the_assistant_introduces_itself(manual: Shelf, question: str) -> None:
    _, said = ask(manual, question)
    assert "chatapp" in said and is_wide(said) == is_wide(question)


@pytest.mark.parametrize(
    ("question", "words"), [("hello", "or connect a model"), ("你好", "或者连接模型")]
)
def test_a_greeting_gets_instructions(manual: Shelf, question: str, words: str) -> None:
    passages, said = ask(manual, question)
    assert passages == [] and words in said
