"""What a database refers to outside of itself: the files that belong into its backup."""

from dataclasses import dataclass

from sqlalchemy import inspect, select, text
from sqlalchemy.orm import Session

from chatapp.storage.image_models import Image
from chatapp.storage.models import File


@dataclass(frozen=True, slots=True)
class Contents:
    """The schema's revision, SHA-256s of originals, and ids of pictures."""

    revision: str
    originals: frozenset[str]
    images: frozenset[str]

    @property
    def files(self) -> list[str]:
        """The names of these files in an archive, which are their places in a home."""
        return sorted(
            [f"originals/{each[:2]}/{each}" for each in self.originals]
            + [f"images/{each[:2]}/{each}" for each in self.images]
        )


def contents(session: Session) -> Contents:
    """Return what the database of this transaction refers to; it may be an older version's."""
    has_images = inspect(session.connection()).has_table(Image.__tablename__)
    return Contents(
        str(session.scalar(text("SELECT version_num FROM alembic_version"))),
        frozenset(session.scalars(select(File.sha256).distinct())),
        frozenset(session.scalars(select(Image.id))) if has_images else frozenset(),
    )
