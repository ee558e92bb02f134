"""How much a person may store: original files of their bases, and pictures."""

from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, select
from sqlalchemy.orm import Session as Transaction

from chatapp.errors import TooLarge
from chatapp.identity.limits import COLUMNS, PEOPLE, limits_of
from chatapp.knowledge.ingest.jobs import DELETING
from chatapp.settings import MB, Settings
from chatapp.storage.image_models import Image
from chatapp.storage.models import File, KnowledgeBase

_OWN = select(*COLUMNS).select_from(PEOPLE).where(PEOPLE.left.c.id == bindparam("user_id"))


def bytes_of(user_id: Any) -> ColumnElement[int]:
    """Return the bytes that a person, a value or a column, stores in files and pictures."""
    files = (
        select(func.coalesce(func.sum(File.size), 0))
        .join_from(File, KnowledgeBase, File.knowledge_base_id == KnowledgeBase.id)
        .where(KnowledgeBase.user_id == user_id, File.status != DELETING, File.replaces.is_(None))
    )
    pictures = select(func.coalesce(func.sum(Image.size), 0)).where(Image.user_id == user_id)
    return files.scalar_subquery() + pictures.scalar_subquery()


def require_storage(t: Transaction, settings: Settings, user_id: str, more: int) -> None:
    """Raise TooLarge if storing so many bytes more would exceed the person's limit.

    On PostgreSQL the caller holds a lock of this person, so that two uploads cannot both fit.
    """
    row = t.execute(_OWN, {"user_id": user_id}).first()
    limit = limits_of(settings, row).storage_mb * MB if row is not None else 0
    if limit and (used := int(t.scalar(select(bytes_of(user_id))) or 0)) + more > limit:
        raise TooLarge("storage", used=_shown(used), limit=_shown(limit), size=_shown(more))


def _shown(size: int) -> str:
    return f"{size / MB:.1f} MB".replace(".0 MB", " MB")
