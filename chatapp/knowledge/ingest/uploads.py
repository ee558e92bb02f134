"""Adds finished uploads to knowledge bases as queued files; a base holds the same bytes once."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from chatapp.errors import DiskFull
from chatapp.knowledge.ingest.jobs import DELETING, lock_content
from chatapp.knowledge.ingest.originals import Incoming, Originals, Stored
from chatapp.knowledge.ingest.remove import Remover
from chatapp.knowledge.json_shapes import file_json
from chatapp.knowledge.names import file_name
from chatapp.knowledge.storage_limit import require_storage
from chatapp.settings import Settings
from chatapp.storage.database import Database
from chatapp.storage.models import File, KnowledgeBase, new_id, now


class _BeingDeleted(Exception):
    """The base's file with these bytes is still being deleted."""

    def __init__(self, file_id: str) -> None:
        super().__init__(file_id)
        self.file_id = file_id


class Uploads:
    """Adds uploads to bases as queued files."""

    def __init__(
        self, database: Database, settings: Settings, originals: Originals, remover: Remover
    ) -> None:
        self._database = database
        self._settings = settings
        self._originals = originals
        self._remover = remover

    def add(
        self,
        find: Callable[[Session], KnowledgeBase],
        name: str,
        incoming: Incoming,
        stored: Stored,
    ) -> dict[str, Any]:
        """Return the file's JSON; `duplicate` is true where the base had these bytes already.

        `find` returns the base, and raises where the user may not write to it any more. Raises
        TooLarge if the base's owner may not store so much.
        """
        while True:
            try:
                return self._database.write(lambda t: self._add(t, find, name, incoming, stored))
            except _BeingDeleted as deletion:
                self._remover.remove_file(deletion.file_id)
            except IntegrityError:  # PostgreSQL: a concurrent upload of the same bytes
                continue
            except DiskFull:  # perhaps it has been moved before the commit failed
                self._database.write_deletion(lambda t: self._remove_unused(t, stored.sha256))
                raise

    def _add(
        self,
        t: Session,
        find: Callable[[Session], KnowledgeBase],
        name: str,
        incoming: Incoming,
        stored: Stored,
    ) -> dict[str, Any]:
        lock_content(t, stored.sha256)
        base = find(t)
        same = select(File).where(File.knowledge_base_id == base.id, File.sha256 == stored.sha256)
        file = t.scalars(same).first()
        if file is not None and file.status == DELETING:
            raise _BeingDeleted(file.id)
        duplicate = file is not None
        if file is None:
            if base.user_id is not None:
                self._database.advisory_lock(t, f"storage {base.user_id}")
                require_storage(t, self._settings, base.user_id, stored.size)
            file = File(
                id=new_id(),
                knowledge_base_id=base.id,
                name=file_name(name),
                md5=stored.md5,
                sha256=stored.sha256,
                size=stored.size,
                media_type="application/octet-stream",
                created_at=now(),
            )
            t.add(file)
            t.flush()
        self._originals.store(incoming, stored.sha256)
        return file_json(file) | {"duplicate": duplicate}

    def _remove_unused(self, t: Session, sha256: str) -> None:
        """Delete an original of which no row is left. This changes nothing in the database."""
        lock_content(t, sha256)
        if not t.scalar(select(exists().where(File.sha256 == sha256))):
            self._originals.remove(sha256)
