"""Database migrations: once per start, under a lock, after a copy of an SQLite file."""

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from flask import Flask
from sqlalchemy import Engine, inspect, text

from chatapp.errors import DatabaseNewer
from chatapp.settings import Settings
from chatapp.storage.database import engine_options, prepare_engine
from chatapp.storage.models import db

FOLDER = Path(__file__).parents[2] / "migrations"
POSTGRES_LOCK = 7_240_119  # any number that no other program uses
COPIES_KEPT = 3


def migrate(settings: Settings, folder: Path = FOLDER) -> None:
    """Apply missing migrations; safe from many processes at once. Raises DatabaseNewer."""
    app = Flask("chatapp.storage.migrate")
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.sql_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(settings.sql_url)
    settings.home.mkdir(parents=True, exist_ok=True)
    db.init_app(app)
    with app.app_context():
        prepare_engine(db.engine)
        with _lock(settings, db.engine):
            now_at, known = _revision(db.engine), _known_revisions(folder)
            if now_at is not None and now_at not in known:
                raise DatabaseNewer(revision=now_at)
            if now_at != known[-1]:
                if now_at is not None and settings.sqlite_file:
                    _copy_aside(settings.sqlite_file, now_at)
                attach(app, folder)
                _upgrade(folder)
        db.engine.dispose()


def attach(app: Flask, folder: Path = FOLDER) -> None:
    """Add Flask-Migrate to an app. Alembic takes half a second to import, so only when needed."""
    from flask_migrate import Migrate

    Migrate(app, db, directory=str(folder), render_as_batch=True)


def _upgrade(folder: Path) -> None:
    from flask_migrate import upgrade

    upgrade(directory=str(folder))


def _known_revisions(folder: Path) -> list[str]:
    """Return our revisions, oldest first; their file names begin with the number."""
    return sorted(path.name.partition("_")[0] for path in (folder / "versions").glob("[0-9]*.py"))


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


@contextmanager
def _lock(settings: Settings, engine: Engine) -> Iterator[None]:
    if settings.sqlite_file:
        with open(settings.home / "migrate.lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        return
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": POSTGRES_LOCK})
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": POSTGRES_LOCK})


def _copy_aside(file: Path, revision: str) -> None:
    """Copy with SQLite's backup API: copying a live WAL database as bytes corrupts it."""
    folder = file.parent / "backups"
    folder.mkdir(exist_ok=True)
    target = folder / f"{file.stem}-before-{revision}.db"
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
    for old in sorted(folder.glob("*-before-*.db"), key=lambda path: path.stat().st_mtime)[
        :-COPIES_KEPT
    ]:
        old.unlink()
