"""Which sessions contain terms: the index of words narrows them down, the text decides.

A query is groups that must all match; a group is the ways to read it, of which one must; a way is
terms that must all occur, in the title or in any message. The database compares without regard to
case: SQLite does so for ASCII letters only, hence `spellings`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TypeAlias

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.orm import Session as Transaction

from chatapp.storage.message_index import find_messages, is_complete
from chatapp.storage.models import Message, Session

Groups: TypeAlias = Sequence[Sequence[Sequence[str]]]

# Messages with a term, above which it is looked for in one session after the other: among so many,
# the latest sessions have it.
COMMON_MESSAGES = 500
COMPARED_TOGETHER = 50  # sessions whose messages one statement reads
RECENT_SESSIONS = 100  # in which a term is looked for inside words too


class Matches:
    """The sessions of one user, in one transaction."""

    def __init__(self, t: Transaction, user_id: str) -> None:
        self._t = t
        self._user_id = user_id
        self._found: dict[str, Mapping[str, Sequence[int]] | None] = {}
        self.all = select(Session).where(Session.user_id == user_id, Session.kind == "chat")
        self.latest = self.all.order_by(Session.updated_at.desc())

    def titled(self, terms: Iterable[str], limit: int) -> list[Session]:
        """Return sessions with all terms in the title, latest first."""
        conditions = [contains(Session.title, term) for term in terms]
        return list(self._t.scalars(self.latest.where(*conditions).limit(limit)))

    def matching(self, groups: Groups, but: Collection[str], limit: int) -> list[Session]:
        """Return sessions that match all groups, latest first, without those of the ids `but`."""
        candidates = self._candidates(groups) if self._is_indexed else None
        if candidates is None:
            rows = self.latest.where(Session.id.not_in(but), self._condition(groups))
            return list(self._t.scalars(rows.limit(limit)))
        found: list[Session] = []
        ids = self._in_order(candidates - set(but))
        for first in range(0, len(ids), COMPARED_TOGETHER):
            some = ids[first : first + COMPARED_TOGETHER]
            rows = self.latest.where(Session.id.in_(some), self._condition(groups, some))
            found += self._t.scalars(rows.limit(limit - len(found)))
            if len(found) == limit:
                break
        return found

    def recent(self, groups: Groups) -> list[Session]:
        """Return those of the latest sessions that match all groups, also inside words."""
        if not self._is_indexed:
            return []  # all sessions were searched like this
        recent = self.latest.with_only_columns(Session.id).limit(RECENT_SESSIONS)
        rows = self.latest.where(Session.id.in_(recent), self._condition(groups))
        return list(self._t.scalars(rows))

    @cached_property
    def _is_indexed(self) -> bool:
        return is_complete(self._t)

    def _candidates(self, groups: Groups) -> set[str] | None:
        """Return the ids of all sessions that may match; None where the index cannot tell."""
        return _in_all(
            _in_any(_in_all(self._with(term) for term in way) for way in group) for group in groups
        )

    def _with(self, term: str) -> set[str] | None:
        """Return the ids of sessions that may contain a term; None for a common one."""
        if term not in self._found:
            self._found[term] = find_messages(self._t, self._user_id, term, COMMON_MESSAGES)
        found = self._found[term]
        if found is None:
            return None
        titled = self.all.with_only_columns(Session.id).where(contains(Session.title, term))
        return {*found, *self._t.scalars(titled)}

    def _in_order(self, ids: Iterable[str]) -> list[str]:
        """Return ids of sessions, latest first."""
        rows = self.all.with_only_columns(Session.id, Session.updated_at)
        known = self._t.execute(rows.where(Session.id.in_(list(ids)))).all()
        return [row.id for row in sorted(known, key=lambda row: row.updated_at, reverse=True)]

    def _condition(self, groups: Groups, ids: Sequence[str] = ()) -> ColumnElement[bool]:
        """Say that a session matches; with `ids`, for these and by their messages in the index."""
        return and_(
            *(
                or_(*(and_(*(self._occurs(term, ids) for term in way)) for way in group))
                for group in groups
            )
        )

    def _occurs(self, term: str, ids: Sequence[str]) -> ColumnElement[bool]:
        """Say that the title of a session or one of its messages contains a term."""
        said = exists().where(Message.session_id == Session.id, contains(Message.content, term))
        found = self._found.get(term) if ids else None
        if found is not None:
            said = said.where(Message.number.in_([n for each in ids for n in found.get(each, ())]))
        return or_(contains(Session.title, term), said)


def spellings(term: str) -> list[str]:
    """Return the case variants of a term, for databases that fold case for ASCII only."""
    if term.isascii():
        return [term]
    cases = (term, term.lower(), term.upper(), term.title(), term.capitalize(), term.casefold())
    return list(dict.fromkeys(cases))


def contains(column: InstrumentedAttribute[str], term: str) -> ColumnElement[bool]:
    """Say that a text contains a term."""
    return or_(*(column.icontains(each, autoescape=True) for each in spellings(term)))


def _in_all(sets: Iterable[set[str] | None]) -> set[str] | None:
    """Return what is in all sets; None stands for everything."""
    narrow = [each for each in sets if each is not None]
    return set.intersection(*narrow) if narrow else None


def _in_any(sets: Iterable[set[str] | None]) -> set[str] | None:
    """Return what is in any of the sets; None stands for everything."""
    found: set[str] = set()
    for each in sets:
        if each is None:
            return None
        found |= each
    return found
