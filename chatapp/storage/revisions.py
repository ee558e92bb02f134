"""Revisions of the database: those that this version knows, and the one of a database."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

FOLDER = Path(__file__).parents[2] / "migrations"


def known_revisions(folder: Path = FOLDER) -> list[str]:
    """Return our revisions, oldest first; their file names begin with the number."""
    return sorted(path.name.partition("_")[0] for path in (folder / "versions").glob("[0-9]*.py"))


def revision_of(connection: Connection) -> str | None:
    """Return a database's revision, None if it has none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)
