"""The pictures of questions: who owns them, which messages use them, and when they are deleted.

A picture is uploaded first and gets an id. A question names ids; from then on the picture is
deleted with the last message that uses it. One that no question ever names is deleted after a day.
"""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, insert, or_, select, update
from sqlalchemy.orm import Session as Transaction

from chatapp.core.pictures import Picture
from chatapp.errors import InvalidRequest, NotFound
from chatapp.knowledge.images import ImageFiles, image_path
from chatapp.knowledge.ingest.originals import Incoming
from chatapp.knowledge.names import UNNAMED, file_name
from chatapp.knowledge.storage_limit import require_storage
from chatapp.settings import Settings
from chatapp.storage.database import Database
from chatapp.storage.image_models import Image, ImageUse
from chatapp.storage.models import new_id, now

UNUSED_HOURS = 24  # after which a picture that was never used is deleted
SWEEP_SECONDS = 600  # between two looks for pictures to delete
DELETED_TOGETHER = 500

_images, _uses = Image.__table__, ImageUse.__table__
_IS_USED = exists().where(_uses.c.image_id == _images.c.id)
_SHOWN = ("id", "name", "media_type", "width", "height", "size")


class Images:
    """The pictures of all users. Methods take the id of the current user."""

    def __init__(self, database: Database, settings: Settings, files: ImageFiles) -> None:
        self._database = database
        self._settings = settings
        self.files = files

    def add(self, user_id: str, sent_name: str, incoming: Incoming) -> dict[str, Any]:
        """Store an upload without its metadata. Raises as `ImageFiles.cleaned`, DiskFull,
        and TooLarge if the user may not store so much."""
        incoming.finish()
        try:
            made = self.files.cleaned(incoming.path)
        finally:
            incoming.discard()
        image_id, name = new_id(), file_name(sent_name)
        row = {
            "id": image_id,
            "user_id": user_id,
            "name": "" if name == UNNAMED else name,
            "media_type": made.media_type,
            "width": made.width,
            "height": made.height,
            "size": len(made.image),
            "used": False,
            "created_at": now(),
        }

        def save(t: Transaction) -> None:
            self._database.advisory_lock(t, f"storage {user_id}")
            require_storage(t, self._settings, user_id, len(made.image))
            t.execute(insert(_images), row)

        self.files.write(image_id, made.image)
        try:
            self._database.write(save)
        except BaseException:
            self.files.remove([image_id])
            raise
        return image_json(row)

    def read(self, user_id: str, image_id: str) -> dict[str, Any]:
        """Return what is known of a picture; raise NotFound."""
        return self._database.read(lambda t: _owned(t, user_id, [image_id]))[0]

    def content(self, user_id: str, image_id: str) -> tuple[str, bytes]:
        """Return media type and bytes of a picture; raise NotFound."""
        found = self.read(user_id, image_id)
        content = self.files.read(image_id)
        if content is None:
            raise NotFound("image")
        return found["media_type"], content

    def delete(self, user_id: str, image_id: str) -> None:
        """Delete a picture that no message uses; raise NotFound, InvalidRequest for another."""

        def remove(t: Transaction) -> None:
            _owned(t, user_id, [image_id])
            gone = delete(_images).where(_images.c.id == image_id, ~_IS_USED)
            if not t.execute(gone.returning(_images.c.id)).first():
                raise InvalidRequest("image_id", "image_used")

        self._database.write_deletion(remove)
        self.files.remove([image_id])

    def delete_unused(self, user_id: str) -> None:
        """Delete a user's pictures whose messages have been deleted."""
        self._delete(and_(_images.c.user_id == user_id, _images.c.used))

    def delete_all(self, user_id: str) -> None:
        """Delete a user's pictures that no message uses, also those that were never used."""
        self._delete(_images.c.user_id == user_id)

    def sweep(self) -> None:
        """Delete the pictures that no message uses, once they are old enough, and files that no
        row names."""
        old = _images.c.created_at < now() - timedelta(hours=UNUSED_HOURS)
        self._delete(or_(_images.c.used, old))
        stored = self.files.finished_before()
        for start in range(0, len(stored), DELETED_TOGETHER):
            some = stored[start : start + DELETED_TOGETHER]
            known = self._database.read(
                lambda t, some=some: {  # type: ignore[misc]
                    *t.scalars(select(_images.c.id).where(_images.c.id.in_(some)))
                }
            )
            self.files.remove(image_id for image_id in some if image_id not in known)

    def _delete(self, which: ColumnElement[bool]) -> None:
        some = select(_images.c.id).where(which, ~_IS_USED).limit(DELETED_TOGETHER)
        gone = delete(_images).where(_images.c.id.in_(some), ~_IS_USED).returning(_images.c.id)
        while self._database.read(lambda t: t.scalar(some)):
            self.files.remove(self._database.write_deletion(lambda t: list(t.scalars(gone))))


def claim(t: Transaction, user_id: str, image_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return the pictures that a question names, each once and in its order; raise NotFound."""
    return _owned(t, user_id, list(dict.fromkeys(image_ids)), locked=True)


def use(t: Transaction, message_id: str, shown: Sequence[dict[str, Any]]) -> None:
    """Store that a message uses pictures."""
    if not shown:
        return
    ids = [image["id"] for image in shown]
    t.execute(insert(_uses), [{"message_id": message_id, "image_id": each} for each in ids])
    t.execute(update(_images).where(_images.c.id.in_(ids)).values(used=True))


def pictures(shown: Sequence[dict[str, Any]] | None, files: Path) -> tuple[Picture, ...]:
    """Return a message's pictures for a prompt."""
    return tuple(
        Picture(
            str(image_path(files, image["id"])),
            image["media_type"],
            image["width"],
            image["height"],
        )
        for image in shown or ()
    )


def image_json(row: dict[str, Any]) -> dict[str, Any]:
    """Return a picture as the API shows it, and as messages keep it."""
    return {name: row[name] for name in _SHOWN}


def _owned(
    t: Transaction, user_id: str, image_ids: Sequence[str], locked: bool = False
) -> list[dict[str, Any]]:
    if not image_ids:
        return []
    query = select(_images).where(_images.c.id.in_(image_ids), _images.c.user_id == user_id)
    rows = {
        row["id"]: row for row in t.execute(query.with_for_update() if locked else query).mappings()
    }
    if len(rows) < len(image_ids):
        raise NotFound("image")
    return [image_json(dict(rows[image_id])) for image_id in image_ids]
