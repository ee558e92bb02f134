"""Permissions on bases and files, checked by the functions that load them.

Every way to a base leads through `MAY`, the SQL expression of what a user may do with it:

- its owner manages it: name, sharing, vectors, deletion;
- people whom it is shared with read it, or read and write (add, rename and delete files);
- administrators manage the bases that are shared with anybody, and do not see the others;
- everybody reads the bundled ones.

A base without an owner is being deleted, and nobody sees it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Exists,
    Select,
    and_,
    bindparam,
    case,
    exists,
    or_,
    select,
)
from sqlalchemy.orm import Session

from chatapp.errors import Forbidden, NotFound
from chatapp.identity.person import ADMIN_ROLE
from chatapp.knowledge.ingest.jobs import DELETING
from chatapp.storage.models import File, KnowledgeBase, User
from chatapp.storage.sharing_models import BaseShare

EVERYBODY = ""  # the name of the share that everybody has


class May(IntEnum):
    """What a user may do with a base; each includes those before it."""

    NOTHING = 0
    READ = 1
    WRITE = 2
    MANAGE = 3


def _shared(*conditions: ColumnElement[bool]) -> Exists:
    return exists().where(BaseShare.base == KnowledgeBase.number, *conditions)


_USER: BindParameter[str] = bindparam("user_id")
_WITH_USER = or_(BaseShare.user_id == _USER, BaseShare.name == EVERYBODY)
_IS_ADMIN = exists().where(User.id == _USER, User.role == ADMIN_ROLE)
# In the order in which it costs least: an own base is decided by its row alone.
MAY: ColumnElement[int] = case(
    (KnowledgeBase.user_id == _USER, May.MANAGE.value),
    (KnowledgeBase.bundled.is_not(None), May.READ.value),
    (KnowledgeBase.user_id.is_(None), May.NOTHING.value),
    (and_(_shared(), _IS_ADMIN), May.MANAGE.value),
    (_shared(_WITH_USER, BaseShare.may_write.is_(True)), May.WRITE.value),
    (_shared(_WITH_USER), May.READ.value),
    else_=May.NOTHING.value,
)
READABLE: ColumnElement[bool] = May.NOTHING.value < MAY
# Those readable ones that need no look at the shares.
UNSHARED: ColumnElement[bool] = or_(
    KnowledgeBase.user_id == _USER, KnowledgeBase.bundled.is_not(None)
)
# The bases among which all readable ones are, found by indexes.
CANDIDATES: ColumnElement[bool] = or_(UNSHARED, KnowledgeBase.number.in_(select(BaseShare.base)))
_FOUND = (
    select(KnowledgeBase, MAY.label("may"), User.name.label("owner"))
    .outerjoin(User, User.id == KnowledgeBase.user_id)
    .where(READABLE)
)
_ONE = _FOUND.where(KnowledgeBase.id == bindparam("base_id"))
_ALL = _FOUND.where(CANDIDATES).order_by(
    KnowledgeBase.bundled.is_not(None), KnowledgeBase.user_id != _USER, KnowledgeBase.number
)


@dataclass(frozen=True, slots=True)
class Found:
    """A base that a user may read, what else they may do with it, and whose it is."""

    base: KnowledgeBase
    may: May
    owner: str | None

    def for_writing(self) -> KnowledgeBase:
        """Return the base; raise Forbidden unless the user may change its files."""
        return self._at_least(May.WRITE, "read_only")

    def for_managing(self) -> KnowledgeBase:
        """Return the base; raise Forbidden unless it is the user's own, or a shared one and the
        user an administrator."""
        return self._at_least(May.MANAGE, "not_owner")

    def _at_least(self, may: May, reason: str) -> KnowledgeBase:
        if self.may < may:
            raise Forbidden("bundled" if self.base.bundled is not None else reason)
        return self.base


def find_base(t: Session, user_id: str, base_id: str) -> Found:
    """Return a base with the user's permission; raise NotFound."""
    row = t.execute(_ONE, {"user_id": user_id, "base_id": base_id}).first()
    if row is None:
        raise NotFound("knowledge_base")
    return Found(row[0], May(row.may), row.owner)


def find_bases(t: Session, user_id: str) -> Sequence[Found]:
    """Return the bases that a user may read: their own, then shared, then bundled ones."""
    rows = t.execute(_ALL, {"user_id": user_id})
    return [Found(row[0], May(row.may), row.owner) for row in rows]


def readable_base(t: Session, user_id: str, base_id: str) -> KnowledgeBase:
    """Return a base that the user may read; raise NotFound."""
    return find_base(t, user_id, base_id).base


def writable_base(t: Session, user_id: str, base_id: str) -> KnowledgeBase:
    """Return a base whose files the user may change; raise NotFound or Forbidden."""
    return find_base(t, user_id, base_id).for_writing()


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


def readable_file(t: Session, user_id: str, file_id: str) -> File:
    """Return a file of any base that the user may read; raise NotFound."""
    file = t.get(File, file_id)
    if file is None:
        raise NotFound("file")
    try:
        return find_file(t, readable_base(t, user_id, file.knowledge_base_id), file_id)
    except NotFound:
        raise NotFound("file") from None
