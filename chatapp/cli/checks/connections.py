"""Check of the connections that this host may open to PostgreSQL, beside what the server allows."""

from collections.abc import Iterator

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from chatapp.cli.checks.finding import OK, WARN, Finding
from chatapp.cli.terminal import say
from chatapp.errors import ChatAppError
from chatapp.settings import Settings
from chatapp.storage.database import open_database
from chatapp.storage.pools import OTHER_CONNECTIONS

_LIMITS = text(
    "SELECT current_setting('max_connections')::int"
    " - current_setting('superuser_reserved_connections')::int AS most,"
    " (SELECT count(*) FROM pg_stat_activity"
    " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()) AS used"
)


def connections(settings: Settings) -> Iterator[Finding]:
    """Compare the sum over this host's processes with PostgreSQL's limit."""
    if settings.sqlite_file:
        return
    try:
        opened = open_database(settings.sql_url)
        most, used = opened.read(lambda t: t.execute(_LIMITS).one())
        opened.close()
    except (SQLAlchemyError, ChatAppError, ImportError):  # reported by the check of the database
        return
    web = settings.workers * settings.database_connections
    other = OTHER_CONNECTIONS * (
        1 + ("worker" in settings.helpers)
    )  # a command's, and the document worker's
    fits = web + other <= most
    message = say(
        "doctor.connections" if fits else "doctor.connections_few",
        total=web + other,
        workers=settings.workers,
        each=settings.database_connections,
        other=other,
        most=most,
        used=used,
    )
    yield Finding("connections", OK if fits else WARN, message)
