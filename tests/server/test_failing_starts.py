"""Starts that cannot work: each ends with a sentence that says what to do, and nothing runs on."""

import fcntl
import json
import os
import pty
import signal
import socket
import sqlite3
import subprocess
import sys
import termios
import urllib.request
from contextlib import closing, suppress
from pathlib import Path

import pytest

from chatapp.home import WEB, write_address
from chatapp.settings import Settings
from chatapp.storage.migrate import migrate
from tests.support.service import PATIENCE_SECONDS, ROOT, free_port, wait_for
from tests.support.small_disk import NEEDS_MOUNT, small_disk

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(sys.platform != "linux", reason="needs /proc"),
]
LANGUAGES = ("C.UTF-8", "zh_CN.UTF-8")
END_SECONDS = 180  # other processes may keep the cores busy
OLD = """
import runpy, sys
sys.version_info = (3, 8, 18, 'final', 0)
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


def refusals(home: Path, *command: str, **variables: str) -> list[str]:
    """Start in each language, side by side; return the output after checking both exit codes."""
    told = environ(home, **variables)
    started = [
        subprocess.Popen(
            command or (sys.executable, "app.py"),
            cwd=ROOT,
            env={**told, "LC_ALL": language},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for language in LANGUAGES
    ]
    shown = [process.communicate(timeout=END_SECONDS)[0] for process in started]
    assert [process.returncode for process in started] == [1, 1], shown
    return shown


def environ(home: Path, **variables: str) -> dict[str, str]:
    own = {
        "CHATAPP_HOME": str(home),
        "CHATAPP_BIND": f"127.0.0.1:{free_port()}",
        "CHATAPP_ENV_FILE": os.devnull,
    }
    return {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **own, **variables}


def one_line(text: str) -> str:
    assert text.endswith("\n") and text.count("\n") == 1 and "Traceback" not in text, text
    return text.rstrip()


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        english, chinese = refusals(tmp_path, CHATAPP_BIND=f"127.0.0.1:{port}")
    assert one_line(english).startswith(f"Port {port} on 127.0.0.1 is in use by another program.")
    assert one_line(chinese).startswith(f"其他程序占用了 127.0.0.1 的端口 {port}。")
    assert (
        f"CHATAPP_BIND=127.0.0.1:{port + 1} make run" in english
        and f"CHATAPP_BIND=127.0.0.1:{port + 1} make run" in chinese
    )


def test_a_port_that_is_taken_by_the_service_of_the_same_home(tmp_path: Path) -> None:
    port = free_port()
    write_address(tmp_path, WEB, f"127.0.0.1:{port}")
    with socket.create_server(("127.0.0.1", port)):
        with open(tmp_path / "lock", "a+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            english, chinese = refusals(tmp_path, CHATAPP_BIND=f"0.0.0.0:{port}")
        killed, _ = refusals(tmp_path, CHATAPP_BIND=f"127.0.0.1:{port}")
    url = f"http://127.0.0.1:{port}"
    assert (
        one_line(english)
        == f"The service is already running at {url}. “make link” creates a new sign-in link."
    )
    assert one_line(chinese) == f"服务已在 {url} 运行。运行 make link 可生成新的登录链接。"
    assert "in use by another program" in killed, "what a killed service left does not count"


def test_a_home_that_another_service_uses(tmp_path: Path) -> None:
    with open(tmp_path / "lock", "a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(str(os.getpid()))
        lock.flush()
        english, chinese = refusals(tmp_path)
    assert one_line(english).startswith(
        f"Another instance (process {os.getpid()}) is using {tmp_path}."
    )
    assert one_line(chinese).startswith(f"另一个实例（进程 {os.getpid()}）正在使用 {tmp_path}。")


def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    home = Path("/sys/chatapp")  # not even by root
    english, chinese = refusals(home)
    assert one_line(english) == (
        f"{home} is not writable. Create it for this user, or choose another folder with"
        " CHATAPP_HOME."
    )
    assert one_line(chinese) == (
        f"无法写入 {home}。请为当前用户创建该文件夹，或用 CHATAPP_HOME 指定其他文件夹。"
    )
    (tmp_path / "chatapp.db").mkdir()
    (tmp_path / "start.log").mkdir()
    assert one_line(prepare_refusals(tmp_path)[0]).startswith(f"{tmp_path} is not writable.")


def test_settings_that_are_wrong(tmp_path: Path) -> None:
    english, chinese = refusals(tmp_path, CHATAPP_AUTH="maybe", CHATAPP_MAX_STREAMS="many")
    assert (
        english
        == "CHATAPP_AUTH must be accounts or off.\nCHATAPP_MAX_STREAMS must be a whole number.\n"
    )
    assert chinese == "CHATAPP_AUTH 应为 accounts 或 off。\nCHATAPP_MAX_STREAMS 应为整数。\n"


def test_a_database_that_is_newer_than_the_program(tmp_path: Path) -> None:
    migrate(Settings(home=tmp_path))
    with closing(sqlite3.connect(tmp_path / "chatapp.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    english, chinese = prepare_refusals(tmp_path)
    assert one_line(english).startswith(
        "This database was upgraded by a newer version of the program (9999)."
    )
    assert (
        one_line(chinese).startswith("数据库已由更高版本的程序升级（9999）")
        and "upgrades.md" in chinese
    )


def test_a_database_that_is_gone_from_a_home_in_use(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a token")
    (tmp_path / "chatapp.db").touch()
    english, chinese = prepare_refusals(tmp_path, CHATAPP_EMBEDER="off")
    misspelt, sentence = english.splitlines()
    assert misspelt == "CHATAPP_EMBEDER is no setting and has no effect. Is CHATAPP_EMBEDDER meant?"
    assert sentence.startswith(f"The database {tmp_path}/chatapp.db is missing or empty")
    assert "是否应为 CHATAPP_EMBEDDER？" in chinese and "不存在或为空" in chinese
    assert (tmp_path / "chatapp.db").stat().st_size == 0, "no new one is made"


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "chatapp.db").write_bytes(b"no database, but longer than a header" * 400)
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "chatapp-before-0026.db").touch()
    english, chinese = prepare_refusals(tmp_path)
    assert one_line(english).startswith(f"The database {tmp_path}/chatapp.db is damaged.")
    assert "chatapp-before-0026.db" in english and "chatapp-before-0026.db" in one_line(chinese)


@NEEDS_MOUNT
def test_a_home_on_a_read_only_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "home", 8, "ro") as home:
        english, chinese = refusals(home)
    assert one_line(english).startswith(f"The disk of {home} is read-only.")
    assert one_line(chinese).startswith(f"{home} 所在磁盘为只读。")


def test_a_damaged_key(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_bytes(b"changeme")
    english, chinese = prepare_refusals(tmp_path)
    assert one_line(english).startswith(f"{tmp_path}/secret.key is damaged")
    assert one_line(chinese).startswith(f"{tmp_path}/secret.key 已损坏")


def test_a_database_server_that_cannot_be_reached(tmp_path: Path) -> None:
    english, chinese = prepare_refusals(
        tmp_path, DATABASE_URL=f"postgresql+psycopg://me:secret@127.0.0.1:{free_port()}/chat"
    )
    assert one_line(english).startswith(
        "The database cannot be reached. Check DATABASE_URL and whether the database is running."
        " It said: connection failed:"
    )
    assert "Connection refused" in english and "secret" not in english
    assert one_line(chinese).startswith(
        "无法连接数据库。请检查 DATABASE_URL，并确认数据库正在运行。 对方返回："
    )
    english, _ = prepare_refusals(
        tmp_path, DATABASE_URL="postgresql+psycopg://me@127.0.0.1:port/chat"
    )
    assert one_line(english).startswith("DATABASE_URL must be sqlite:///… or ")


def prepare_refusals(home: Path, **variables: str) -> list[str]:
    """Like `refusals` for `prepare`: two services cannot share the home."""
    return refusals(
        home, sys.executable, "-m", "chatapp", "prepare", "--greet", "127.0.0.1:1", **variables
    )


def test_a_python_that_is_too_old(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text(f'#!/bin/sh\nPYTHONPATH=scripts exec "{sys.executable}" -c "{OLD}" "$@"\n')
    old.chmod(0o755)
    for command in (str(old), "scripts/setup.py", "run"), (str(old), "app.py"):
        english, chinese = refusals(tmp_path, *command, PATH=str(tmp_path))
        assert one_line(english).startswith("Python 3.11 or newer is required; this is 3.8.")
        assert one_line(chinese).startswith("需要 Python 3.11 或更高版本，当前是 3.8。")


def test_no_python_at_all_and_what_make_says_at_the_end(tmp_path: Path) -> None:
    for language, words in zip(
        LANGUAGES,
        ("Python 3.11 or newer is required. ", "需要 Python 3.11 或更高版本。"),
        strict=True,
    ):
        told = {"PATH": os.environ["PATH"], "LC_ALL": language}
        done = subprocess.run(
            ["make", "run", f"PYTHON={tmp_path}/none"],
            cwd=ROOT,
            env=told,
            capture_output=True,
            text=True,
        )
        sentence, *rest = done.stderr.splitlines()
        assert sentence.startswith(words) and sentence.endswith("apt install python3-venv")
        # make adds a line about the failed target.
        assert len(rest) == 1 and rest[0].startswith("make: ***") and done.stdout == ""


def test_ctrl_c_ends_make_run_quietly(tmp_path: Path) -> None:
    """From a terminal the signal goes to the whole foreground group, make included."""
    told = environ(tmp_path, CHATAPP_EMBEDDER="off", CHATAPP_AUTH="off")
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        ["make", "run"],
        cwd=ROOT,
        env=told,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    try:
        with open(terminal, "rb", buffering=0) as screen:
            wait_for(
                lambda: process.poll() is not None or has_read_its_manual(told["CHATAPP_BIND"]),
                what="make run serves",
            )
            os.write(terminal, b"\x03")
            assert (
                process.wait(PATIENCE_SECONDS) == -signal.SIGINT
            )  # make's own end; a shell calls it 130
            wait_for(lambda: not left(tmp_path), what="nothing runs any more")
            os.set_blocking(terminal, False)
            greeting, _, rest = screen.read(65536).partition(b"^C")
            assert b"Ctrl-C" in greeting and rest.strip() == b""
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def has_read_its_manual(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/api/knowledge") as reply:
            bases = json.load(reply)["items"]
    except OSError:
        return False
    return bool(bases) and bases[0]["state"] == "ready"


def left(home: Path) -> list[str]:
    """Return the processes that still run with this home folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"CHATAPP_HOME={home}\0".encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text())
        except OSError:
            continue
    return found
