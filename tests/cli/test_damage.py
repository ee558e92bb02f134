"""`doctor` on damaged homes: each kind of damage is done to a real home, and has its sentence.

The commands that start the service say the same where it cannot start: test_failing_starts.py.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.fernet import Fernet
from sqlalchemy import delete
from sqlalchemy.orm import Session as Transaction

from chatapp.cli.checks.at_start import check_schema, note_lost_key, refuse_lost
from chatapp.cli.checks.network import service
from chatapp.cli.commands import commands
from chatapp.home import take_lock, why_unwritable
from chatapp.identity.host_key import agree_on_key
from chatapp.identity.secrets import Secret
from chatapp.knowledge.ingest.originals import Originals
from chatapp.knowledge.retokenise import Retokeniser
from chatapp.knowledge.search.lexical import index_for
from chatapp.processes.helpers import Chroma
from chatapp.settings import Settings
from chatapp.storage.database import open_database
from chatapp.storage.message_index import MessageIndexer, find_messages, is_complete
from chatapp.storage.models import (
    Chunk,
    File,
    KnowledgeBase,
    Message,
    Session,
    Supplier,
    User,
    new_id,
)
from tests.support.service import free_port
from tests.support.small_disk import NEEDS_MOUNT, small_disk

NOBODY = 65534
LANGUAGES = ("C.UTF-8", "zh_CN.UTF-8")
Doctor = Callable[..., dict[str, tuple[str, str]]]


@pytest.fixture
def home(tmp_path: Path, migrated: Path) -> Path:
    """A home in use: a user, a supplier with a key, a document with its original."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copyfile(migrated, home / "chatapp.db")
    (home / "token").write_text("a token")
    kept = Originals(home / "originals", 1000)
    database = open_database(f"sqlite:///{home / 'chatapp.db'}")
    user, base = User(name="ada", role="admin"), KnowledgeBase(name="Rules")
    key = Secret.of(Settings(home=home)).encrypt("sk-secret")
    supplier = Supplier(name="mine", base_url="http://127.0.0.1:9/v1", key=key, enabled=False)
    (home / "text").write_bytes(b"Leave is 27 days.\n")
    with open(home / "text", "rb") as file:
        incoming = kept.receive(file)
    stored = incoming.finish()
    kept.store(incoming, stored.sha256)
    size = {"sha256": stored.sha256, "md5": stored.md5, "size": stored.size}

    def fill(t: Any) -> None:
        t.add_all([user, supplier])
        t.flush()
        base.user_id = user.id
        t.add(base)
        t.flush()
        file = File(name="leave.txt", media_type="text/plain", status="ready", **size)
        file.knowledge_base_id = base.id
        t.add(file)
        t.flush()
        chunk = Chunk(file_id=file.id, ordinal=0, text="Leave is 27 days.", start=0, end=17)
        t.add(chunk)
        t.flush()
        index_for(True).add(t, base.number, [(chunk.id, ["leave", "27", "days"])])

    database.write(fill)
    database.close()
    return home


@pytest.fixture
def doctor(home: Path) -> Iterator[Doctor]:
    """Run `doctor` on the home; return state and sentence of the failures and warnings."""
    environ = {
        "CHATAPP_HOME": str(home),
        "CHATAPP_ENV_FILE": os.devnull,
        "CHATAPP_BIND": f"127.0.0.1:{free_port()}",
        "CHATAPP_EMBEDDER": "off",
    }

    def run(language: str = LANGUAGES[0], **more: str) -> dict[str, tuple[str, str]]:
        done = CliRunner().invoke(
            commands, ["doctor", "--json"], env={**environ, "LC_ALL": language, **more}
        )
        assert isinstance(done.exception, SystemExit | None), done.exception
        found = json.loads(done.stdout)
        return {
            each["check"]: (each["state"], each["message"])
            for each in found
            if each["state"] != "ok"
        }

    yield run


def says(doctor: Doctor, check: str, state: str, english: str, chinese: str) -> str:
    """Check both sentences of a finding; return the English one."""
    for language, words in zip(LANGUAGES, (english, chinese), strict=True):
        found = doctor(language)
        assert check in found, found
        assert found[check][0] == state and words in found[check][1], found
    return doctor()[check][1]


def test_a_whole_home_has_no_damage(doctor: Doctor) -> None:
    assert doctor().keys() <= {"sqlite", "model", "office", "recognition", "disk", "page", "proxy"}


def test_a_lost_key(doctor: Doctor, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "secret.key").unlink()
    sentence = says(doctor, "secret", "fail", "secret.key", "secret.key 丢失或已更换")
    assert "mine" in sentence and not (home / "secret.key").exists(), "doctor makes no key"
    settings = Settings(home=home)
    database = open_database(settings.sql_url)
    note_lost_key(database, settings)
    database.close()
    assert "Restore secret.key from a backup" in capsys.readouterr().err
    Secret.of(settings)
    assert says(doctor, "secret", "fail", "another one", "已更换") == sentence


def test_a_key_that_is_not_the_database_s(doctor: Doctor, home: Path) -> None:
    """The service refuses to start, also where no supplier has a key."""
    settings = Settings(home=home)
    database = open_database(settings.sql_url)
    agree_on_key(database, settings)
    database.write(lambda t: t.execute(delete(Supplier)))
    database.close()
    assert "secret" not in doctor()
    key = Fernet.generate_key().decode()
    found = doctor(CHATAPP_SECRET_KEY=key)["secret"]
    assert found[0] == "fail" and "not the one that encrypted" in found[1]


def test_a_shared_folder_that_cannot_be_written(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: path != shared)
    state, sentence = doctor(CHATAPP_FILES=str(shared))["files_folder"]
    assert state == "fail" and f"{shared} is not writable for the user" in sentence


def test_lost_originals_in_a_shared_folder(doctor: Doctor, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    assert f"{shared}/originals" in doctor(CHATAPP_FILES=str(shared))["originals"][1]


def test_helpers_without_a_web_server(home: Path) -> None:
    with take_lock(home):
        [found] = service(Settings(home=home, bind=f"127.0.0.1:{free_port()}"))
    assert "helper processes of this data folder are running" in found.message


def test_a_damaged_key(doctor: Doctor, home: Path) -> None:
    (home / "secret.key").write_bytes(b"changeme")
    says(doctor, "secret", "fail", "is damaged", "已损坏")


def test_overwritten_pages(doctor: Doctor, home: Path) -> None:
    with open(home / "chatapp.db", "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        for page in range(4096 * 2, size, 4096 * 2):
            file.seek(page)
            file.write(os.urandom(4096))
    assert "There is no copy" in says(doctor, "database", "fail", "is damaged", "已损坏")


@pytest.mark.parametrize("has_copy", [False, True])
def test_a_file_that_is_no_database(doctor: Doctor, home: Path, has_copy: bool) -> None:
    (home / "chatapp.db").write_bytes(b"no database, but longer than a header" * 400)
    if has_copy:
        (home / "backups").mkdir()
        (home / "backups" / "chatapp-before-0026.db").write_bytes(b"")
    sentence = says(doctor, "database", "fail", "is damaged", "已损坏")
    assert ("chatapp-before-0026.db" in sentence) is has_copy
    assert ("There is no copy" in sentence) is not has_copy


@pytest.mark.parametrize("lost", ["removed", "0 bytes", "no tables"])
def test_a_lost_database(doctor: Doctor, home: Path, lost: str) -> None:
    for file in home.glob("chatapp.db*"):
        file.unlink()
    if lost == "0 bytes":
        (home / "chatapp.db").touch()
    elif lost == "no tables":
        with closing(sqlite3.connect(home / "chatapp.db")) as empty:
            empty.execute("PRAGMA journal_mode=WAL")
    says(doctor, "database", "fail", "missing or empty", "不存在或为空")
    with pytest.raises(SystemExit, match="missing or empty"):
        refuse_lost(Settings(home=home))
    (home / "token").unlink()
    with pytest.raises(SystemExit, match="missing or empty"):
        refuse_lost(Settings(home=home))  # it has an original
    shutil.rmtree(home / "originals")
    refuse_lost(Settings(home=home))  # a first start that did not end
    assert "database" not in doctor()


def test_lost_originals(doctor: Doctor, home: Path) -> None:
    shutil.rmtree(home / "originals")
    says(doctor, "originals", "fail", "originals of 1 of 1 documents", "1 个文档中有 1 个")


def test_a_shortened_original(doctor: Doctor, home: Path) -> None:
    [original] = (home / "originals").glob("??/*")
    os.truncate(original, 3)
    assert "leave.txt" in says(doctor, "originals", "fail", "incomplete", "不完整")


def test_vectors_that_are_a_file(doctor: Doctor, home: Path) -> None:
    (home / "vectors").write_text("")
    says(doctor, "vectors", "fail", "is not a folder", "不是文件夹")


def test_a_dropped_keyword_index(
    doctor: Doctor, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(home / "chatapp.db")) as database, database:
        before = database.execute("SELECT rowid FROM lexical").fetchall()
        database.execute("DROP TABLE lexical")
    says(doctor, "lexical", "fail", "keyword index is missing", "关键词索引缺失")
    settings = Settings(home=home)
    opened = open_database(settings.sql_url)
    check_schema(opened, settings)
    assert "being built again" in capsys.readouterr().err
    assert "lexical" not in doctor()
    worker = Retokeniser(opened, index_for(True), grace_seconds=0)
    while worker.run_step():
        pass
    opened.close()
    with closing(sqlite3.connect(home / "chatapp.db")) as database:
        assert database.execute("SELECT rowid FROM lexical").fetchall() == before
        totals = "SELECT chunks, tokens, tokenizer FROM knowledge_bases"
        assert database.execute(totals).fetchall() == [(1, 3, 3)]


def test_a_dropped_index_of_messages(
    doctor: Doctor, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(home=home)
    opened = open_database(settings.sql_url)
    user, session = new_id(), new_id()

    def ask(t: Transaction) -> None:
        t.add(User(id=user, name="grace"))
        t.flush()
        t.add(Session(id=session, user_id=user))
        t.flush()
        t.add(Message(session_id=session, user_id=user, role="user", content="Who has the keys?"))

    opened.write(ask)
    with closing(sqlite3.connect(home / "chatapp.db")) as database, database:
        database.execute("DROP TABLE message_index")
    says(doctor, "messages", "fail", "index of messages is missing", "消息索引缺失")
    check_schema(opened, settings)
    assert "index of messages was missing" in capsys.readouterr().err
    assert "messages" not in doctor()
    assert not opened.read(is_complete)
    while MessageIndexer(opened).run_step():
        pass
    assert opened.read(is_complete)
    assert len(opened.read(lambda t: find_messages(t, user, "keys", 10))) == 1
    opened.close()


def test_a_column_a_table_and_an_index_that_are_missing(doctor: Doctor, home: Path) -> None:
    settings = Settings(home=home)
    with closing(sqlite3.connect(home / "chatapp.db")) as database, database:
        database.execute("DROP INDEX ix_files_status")
    says(doctor, "schema", "warn", "ix_files_status", "ix_files_status")
    with closing(sqlite3.connect(home / "chatapp.db")) as database, database:
        database.execute("ALTER TABLE sessions DROP COLUMN knowledge_options")
        database.execute("DROP TABLE shares")
        database.execute("ALTER TABLE tokens RENAME COLUMN kind TO sort")
    sentence = says(doctor, "schema", "fail", "sessions.knowledge_options", "数据库缺少")
    assert "shares" in sentence and "tokens.kind" in sentence and "tokens.sort" in sentence
    opened = open_database(settings.sql_url)
    with pytest.raises(SystemExit, match=r"sessions\.knowledge_options"):
        check_schema(opened, settings)
    opened.close()


def test_a_dead_chroma(doctor: Doctor) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    state, message = doctor(CHROMA_URL=url)["chroma"]
    assert state == "warn" and f"does not respond at {url}" in message
    assert "没有响应" in doctor(LANGUAGES[1], CHROMA_URL=url)["chroma"][1]


def test_misspelt_settings(doctor: Doctor) -> None:
    def said(language: str = LANGUAGES[0], **variables: str) -> str:
        state, message = doctor(language, **variables)["settings"]
        assert state == "warn"
        return message

    assert said(CHATAPP_EMBEDER="off").endswith("Is CHATAPP_EMBEDDER meant?")
    assert "CHATAPP_EMBEDDER" in said(LANGUAGES[1], CHATAPP_EMBEDER="off")
    assert said(CHATAPP_DATABASE_URL="x").endswith("Is DATABASE_URL meant?")
    assert "all settings" in said(CHATAPP_FOOTWEAR="9").lower()
    assert "settings" not in doctor(CHATAPP_SUPPLIER_KEY="x", CHATAPP_AUTH="off")


@NEEDS_MOUNT
def test_a_read_only_home(doctor: Doctor, home: Path) -> None:
    copy = home.with_name("copy")
    shutil.copytree(home, copy)
    with small_disk(home, 40):
        shutil.copytree(copy, home, dirs_exist_ok=True)
        subprocess.run(["mount", "-o", "remount,ro", str(home)], check=True)
        says(doctor, "home", "fail", "is read-only", "只读")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_home_with_files_of_another_owner(doctor: Doctor, home: Path) -> None:
    os.chown(home / "secret.key", NOBODY, NOBODY)
    sentence = says(doctor, "home", "fail", "secret.key belongs to the user", "属于用户")
    assert "chown -R" in sentence


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_a_home_of_another_owner_and_one_with_other_modes(home: Path, open_folder: Path) -> None:
    assert as_nobody(lambda: why_unwritable(home))[0] == "home_owner", "its parents are private"
    home = home.rename(open_folder / "home")
    home.chmod(0o755)
    found = as_nobody(lambda: why_unwritable(home))
    assert found[0] == "home_owner" and found[1]["owner"] == "root"
    os.chown(home, NOBODY, NOBODY)
    for path in home.rglob("*"):
        os.chown(path, NOBODY, NOBODY)
    assert as_nobody(lambda: why_unwritable(home)) is None
    (home / "originals").chmod(0o500)
    found = as_nobody(lambda: why_unwritable(home))
    assert found[0] == "home_mode" and found[1]["path"].endswith("originals")


def test_a_home_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for home in (tmp_path / "file", tmp_path / "file" / "home"):
        assert why_unwritable(home) == ("home_unwritable", {"home": str(home)})


def test_chroma_is_not_started_on_a_file(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (home / "vectors").write_text("")
    chroma = Chroma(home)
    for _ in range(3):
        chroma.tick()
    assert chroma.pid is None
    assert capfd.readouterr().err.count("is not a folder, so Chroma cannot start") == 1


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users can enter."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


def as_nobody(fn: Callable[[], Any]) -> Any:
    """Return what a function returns in a process of another user."""
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        try:
            os.write(write, json.dumps(fn()).encode())
        finally:
            os._exit(0)
    os.close(write)
    with open(read, "rb") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return json.loads(said)
