"""Database migrations: once per start, under a lock, after a copy of the database."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask
from sqlalchemy import Engine, inspect, text

from chatapp.errors import DatabaseNewer, MoveRefused
from chatapp.settings import Settings
from chatapp.storage.copies import NotCopied, copy_aside
from chatapp.storage.models import db
from chatapp.storage.pools import engine_options, prepare_engine
from chatapp.storage.revisions import FOLDER, known_revisions, revision_of

__all__ = ["FOLDER", "attach", "migrate"]

POSTGRES_LOCK = 7_240_119  # any number that no other program uses
UNFINISHED = "unfinished_move"  # the table of a database into which rows are moved (moving.py)


def migrate(
    settings: Settings, folder: Path = FOLDER, on_no_copy: Callable[[str], None] = lambda _: None
) -> None:
    """Apply missing migrations; safe from many processes at once.

    Raises DatabaseNewer, and MoveRefused if not all rows have been moved into the database yet.

    `on_no_copy` is called before a database is changed without a copy, with what prevented it.
    """
    app = Flask("chatapp.storage.migrate")
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.sql_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(settings.sql_url)
    settings.home.mkdir(parents=True, exist_ok=True)
    db.init_app(app)
    with app.app_context():
        prepare_engine(db.engine)
        with _lock(settings, db.engine):
            if inspect(db.engine).has_table(UNFINISHED):
                raise MoveRefused("unfinished")
            now_at, known = _revision(db.engine), known_revisions(folder)
            if now_at is not None and now_at not in known:
                raise DatabaseNewer(revision=now_at)
            if now_at != known[-1]:
                if now_at is not None:
                    try:
                        copy_aside(settings, db.engine, now_at)
                    except NotCopied as why:
                        on_no_copy(str(why))
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


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        return revision_of(connection)


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
