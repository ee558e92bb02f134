"""Migrations: from nothing, again, concurrently, and with a backup before a change."""

import hashlib
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import delete, inspect
from sqlalchemy.orm import Session

from chatapp.chat.sessions import Sessions
from chatapp.core.text import TOKENIZER, UNFOLDED
from chatapp.errors import DatabaseNewer
from chatapp.identity.accounts import Accounts
from chatapp.identity.defaults import Defaults
from chatapp.settings import Settings
from chatapp.storage import (  # noqa: F401  their tables are compared
    audit_models,
    chat_models,
    host_models,
    image_models,
    lexical_models,
    message_models,
    sharing_models,
    sign_in_models,
    text_models,
    usage_models,
)
from chatapp.storage.database import open_database
from chatapp.storage.migrate import FOLDER, migrate
from chatapp.storage.models import Base, File, KnowledgeBase
from tests.support.service import PATIENCE_SECONDS

# A migration that has been released is never edited: homes that ran it would lack the change.
RELEASED = {
    "0001_the_first_tables.py": "31fd732e7c7387bbfc39ea578476f0fbf5ae35c680d13162c6f747e363d28fc3",
    "0002_vectors.py": "2576baf6b4a85fa7910c55058250b9e460d61f6e89991249b6798262057cc6bf",
    "0003_defaults.py": "d8fa552b667271d27164b6ae251b388b5a6bfeb2d11567a75253ee584929844e",
    "0004_columns.py": "820d7e61c715e4195ba426eec23ee1205ef884bd63f247239082cad2b49a7b7c",
    "0005_embedded.py": "2a2fb3e065c82c09340908fc288d21d5c12fa809e5f3b9432b0190c6012abd7e",
    "0006_skipped.py": "8e02e2bdbf979236de58a005275fb940dfeac7ae80fc2c678bff509c16a4e76e",
    "0007_search.py": "6ad34602f2028988ca3f0946a44c0176e16f08b69e8c6506e447db3c608e3644",
    "0008_tokenizer.py": "dc14606f09634ac445a3467ed28009244639a4929e89806fa6ee28047221f7b3",
    "0009_splitting.py": "5a3c05a36773e40f35226059f5083c25f0ddd0f9b122614641f0378c65bf1a21",
    "0010_words_only.py": "76f334bf3a4a91454caf2e9be4554c32d9fd2886358a95e806b8ff833ca09360",
    "0011_left_out.py": "ab6742df93857ca4202bb5f8b55ed75beaf6e00eac9d29a6ab30b0fb768f77b6",
    "0012_web_pages.py": "4600b857cad632ac8b50d79c100d98462848acb9d6baae56575db89ebc7b243e",
    "0013_recognition.py": "9d5a99071392aaf8ebe8fb6e11be704cb722cfd465f65bfa2a7813aaf973e8a4",
    "0014_base_numbers.py": "ce435890474d5a655b06705b664e20fe3ddb509417b0e3cd9a081cd24227f661",
    "0015_session_order.py": "007a3cbb6dd0a3e915f88fe7c6ae513d5f30f25be6a5a530e9336fe8d160d322",
    "0016_message_roots.py": "13503b12482e00976ed642bbb51442dd324c03cba06bcb370884246a1a3df62c",
    "0017_images.py": "ae0dbe26e7ac210936c048718a6abfba33d41b021932a9fd557b6b54db48a0e1",
    "0018_chats.py": "e1da590939844dd526d32d92bc6415716b0109f9553024c7495602f2fa2b12a8",
    "0019_feedback.py": "62f386292c7346a06eca9328b24926e94e24191808482898c30223dd59cede6f",
    "0020_people.py": "0b446405514bd8d7e4664410e811c55929a06978eaa86d3b6fe23ccd0739a7bb",
    "0021_base_shares.py": "d1786558c6b297367125100e7b4aaca9a6764134e1a489fa6dd84b2fd71096bc",
    "0022_usage.py": "5a1ec79c12ec193109ff5f2780dd0e89fa9ae12c99a6ddbc9f9bed444574b48e",
    "0023_audit.py": "20935479a13cf78589a2f5e290ace48a494e0b2922b5649a396040d641f874e3",
    "0024_attempts.py": "382a4f3753a2eeffabea18c16ef4b99a1b7741d0ce6bf9be7cfa0cf307ef741b",
    "0025_identities.py": "15def4085855bfe2ce740a82833d9ac453905ccab8eea9c137e27c56efe81d31",
    "0026_tool_calls.py": "cd9de9e77b32172027674ad2cce2db128b55b05de559d6dba180142bda7b1ebd",
    "0027_presets.py": "f36a3877343cc0db8c7f5f4b90c18441d5ea64c5b252744733dfb3f671a0fcb0",
    "0028_hosts.py": "d40371c12d279c95606646d7b177a361529cd92e9a085f7ede54e97cc6014db5",
    "0029_message_index.py": "7bd5449478e8048b019039d9cf5519df5b9b2e88b512a557637b6101662c6709",
    "0030_passages.py": "f1c33d914d6697da78c38f719a47573461ae34274c8b89183c11feaabe23544e",
}
A_FILE = """INSERT INTO files (id, knowledge_base_id, name, md5, sha256, size, media_type, status,
    progress, chunks, attempts, created_at) VALUES ('f', 'b', 'kept.txt', '', '', 1, '', 'ready', 1,
    1, 0, '2026-01-01 00:00:00')"""


@contextmanager
def home_before(number: int, settings: Settings) -> Iterator[sqlite3.Connection]:
    """Make a home with the migrations before a number, and commit what is done to its database."""
    later = [name for name in RELEASED if int(name[:4]) >= number]
    folder = settings.home.with_name("before")
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns(*later))
    migrate(settings, folder)
    with closing(sqlite3.connect(settings.home / "chatapp.db")) as older, older:
        yield older


def test_released_migrations_are_as_they_were() -> None:
    files = (FOLDER / "versions").glob("[0-9]*.py")
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files} == RELEASED


def test_the_migrations_make_what_the_models_say(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    migrate(settings)
    database = open_database(settings.sql_url)
    found = inspect(database.engine)
    for table in Base.metadata.tables.values():
        columns = {column["name"] for column in found.get_columns(table.name)}
        assert columns == {column.name for column in table.columns}, table.name
    database.close()


def test_migrating_again_changes_nothing(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    migrate(settings)
    before = (tmp_path / "chatapp.db").read_bytes()
    migrate(settings)
    assert (tmp_path / "chatapp.db").read_bytes() == before
    assert not (tmp_path / "backups").exists()


def test_four_at_once_do_not_collide(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from chatapp.storage.migrate import migrate;"
        "from chatapp.settings import Settings;"
        f"migrate(Settings(home=Path({str(tmp_path)!r})))"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(4)
    ]
    for process in started:
        _, errors = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0, errors.decode()


def test_people_of_an_older_database_ask_as_they_always_did(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with home_before(3, settings) as older:
        values = "VALUES ('u', 'kept', 'admin', 0, '2026-01-01 00:00:00')"
        older.execute(f"INSERT INTO users (id, name, role, disabled, created_at) {values}")
    migrate(settings)
    database = open_database(settings.sql_url)
    assert Accounts(database).administrator().defaults == Defaults()
    database.close()


def test_a_home_made_before_sessions_kept_their_options_gains_the_column(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with home_before(4, settings) as older:
        older.execute("ALTER TABLE sessions DROP COLUMN knowledge_options")
        older.execute(
            "INSERT INTO users (id, name, role, disabled, created_at, language)"
            " VALUES ('u', 'kept', 'admin', 0, '2026-01-01 00:00:00', 'en')"
        )
        older.execute(
            "INSERT INTO sessions (id, user_id, kind, title, pinned, knowledge_base_ids,"
            " created_at, updated_at) VALUES ('s', 'u', 'chat', 'kept', 0, '[]',"
            " '2026-01-01 00:00:00', '2026-01-01 00:00:00')"
        )
    migrate(settings)
    database = open_database(settings.sql_url)
    columns = {column["name"] for column in inspect(database.engine).get_columns("users")}
    assert "language" not in columns
    [session] = Sessions(database).page("u", None, 10)[0]
    assert (session["title"], session["filter_by_file_md5"]) == ("kept", [])
    database.close()


def test_a_home_made_before_files_named_their_embedder_gains_the_column(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with home_before(3, settings) as older:
        older.execute("ALTER TABLE files DROP COLUMN embedded")
    migrate(settings)
    database = open_database(settings.sql_url)
    columns = {column["name"] for column in inspect(database.engine).get_columns("files")}
    assert "embedded" in columns
    database.close()


def test_the_files_of_an_older_home_have_no_skipped_parts(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with home_before(6, settings) as older:
        older.execute(A_FILE)
    migrate(settings)
    database = open_database(settings.sql_url)
    rows = database.read(lambda t: [(file.name, file.skipped) for file in t.query(File)])
    assert rows == [("kept.txt", 0)]
    database.close()


def test_the_bases_of_an_older_home_have_the_tokens_of_then(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with home_before(8, settings) as older:
        older.execute(
            "INSERT INTO knowledge_bases (number, id, name, description, changed, indexed, chunks,"
            " tokens, created_at) VALUES (1, 'b', 'kept', '', 0, 0, 0, 0, '2026-01-01 00:00:00')"
        )
    migrate(settings)
    database = open_database(settings.sql_url)
    newer = KnowledgeBase(name="new")
    database.write(lambda t: t.add(newer))
    rows = database.read(lambda t: [(base.name, base.tokenizer) for base in t.query(KnowledgeBase)])
    assert rows == [("kept", UNFOLDED), ("new", TOKENIZER)]
    database.close()


def test_the_files_of_an_older_home_are_split_by_size(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with home_before(9, settings) as older:
        older.execute(
            "INSERT INTO knowledge_bases (id, name, description, changed, indexed, chunks, tokens,"
            " created_at) VALUES ('b', 'kept', '', 0, 0, 0, 0, '2026-01-01 00:00:00')"
        )
        older.execute(A_FILE)
    migrate(settings)
    database = open_database(settings.sql_url)
    bases = database.read(lambda t: [base.splitting for base in t.query(KnowledgeBase)])
    files = database.read(lambda t: [(one.split, one.split_reason) for one in t.query(File)])
    assert (bases, files) == (["size"], [("size", None)])
    database.close()


def test_an_older_home_keeps_its_files_and_uses_no_number_of_a_base_again(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with home_before(14, settings) as older:
        older.execute(
            "INSERT INTO knowledge_bases (number, id, name, description, changed, indexed, chunks,"
            " tokens, created_at) VALUES (7, 'b', 'kept', '', 0, 0, 1, 1, '2026-01-01 00:00:00')"
        )
        older.execute(A_FILE)
        older.execute("INSERT INTO terms (base, term, df) VALUES (7, 'kiln', 1)")
    migrate(settings)
    with closing(sqlite3.connect(settings.home / "chatapp.db")) as newer:
        counts = "SELECT (SELECT count(*) FROM files), (SELECT count(*) FROM terms)"
        assert newer.execute(counts).fetchone() == (1, 1)
        assert newer.execute("PRAGMA foreign_key_check").fetchall() == []
    database = open_database(settings.sql_url)

    def replace_base(t: Session) -> int:
        t.execute(delete(KnowledgeBase))
        t.add(base := KnowledgeBase(name="new"))
        t.flush()
        return base.number

    assert [database.write(replace_base) for _ in range(2)] == [8, 9]
    assert database.read(lambda t: t.query(File).count()) == 0, "files go with their base"
    database.close()


SECOND = """
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{latest}"


def upgrade() -> None:
    op.add_column("users", sa.Column("shoe_size", sa.Integer()))
"""


def test_an_older_database_is_copied_aside_before_it_is_changed(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    migrate(settings)
    file = settings.home / "chatapp.db"
    with closing(sqlite3.connect(file)) as older, older:
        older.execute(
            "INSERT INTO users (id, name, role, disabled, created_at)"
            " VALUES ('u', 'kept', 'user', 0, '2026-01-01')"
        )
    folder = tmp_path / "migrations"
    shutil.copytree(FOLDER, folder)
    latest = sorted(path.name for path in (FOLDER / "versions").glob("[0-9]*.py"))[-1][:4]
    (folder / "versions" / "9999_shoes.py").write_text(SECOND.format(latest=latest))
    migrate(settings, folder)
    with closing(sqlite3.connect(file)) as newer:
        assert newer.execute("SELECT name, shoe_size FROM users").fetchall() == [("kept", None)]
    [copy] = (settings.home / "backups").iterdir()
    with closing(sqlite3.connect(copy)) as kept:
        assert kept.execute("SELECT name FROM users").fetchall() == [("kept",)]
        assert kept.execute("SELECT version_num FROM alembic_version").fetchall() == [(latest,)]
    with pytest.raises(DatabaseNewer):
        migrate(settings)
