"""Permissions on bases and files, checked by the functions that load them.

`owned_base` returns only the user's own base, `readable_base` also a bundled one.
"""

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from chatapp.errors import Forbidden, NotFound
from chatapp.knowledge.ingest.jobs import DELETING
from chatapp.storage.models import File, KnowledgeBase


def readable_base(t: Session, user_id: str, base_id: str) -> KnowledgeBase:
    """Return the user's own or a bundled base; raise NotFound."""
    base = t.scalars(select(KnowledgeBase).where(KnowledgeBase.id == base_id)).first()
    if base is None or (base.user_id != user_id and base.bundled is None):
        raise NotFound("knowledge_base")
    return base


def owned_base(t: Session, user_id: str, base_id: str) -> KnowledgeBase:
    """Return the user's own base; raise NotFound, or Forbidden for a bundled one."""
    base = readable_base(t, user_id, base_id)
    if base.bundled is not None:
        raise Forbidden("bundled")
    return base


def files_of(base: KnowledgeBase) -> Select[File]:
    """Select a base's files, except those being deleted and those that will replace another."""
    shown = (File.status != DELETING, File.replaces.is_(None))
    return select(File).where(File.knowledge_base_id == base.id, *shown)


def find_file(t: Session, base: KnowledgeBase, file_id: str) -> File:
    """Return a file of a base; raise NotFound."""
    file = t.scalars(files_of(base).where(File.id == file_id)).first()
    if file is None:
        raise NotFound("file")
    return file
