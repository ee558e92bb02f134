"""Keyset cursors of paged lists.

A cursor names the last row of a page by the values of a unique order, not by how many rows came
before: a list that grows or shrinks while it is read neither repeats a row nor skips one. A row
whose place in the order changes meanwhile (a session that is used moves to the top) is found where
it is when its page is read. To clients a cursor is opaque.

SQLite gives a number again after the rows with the highest ones were deleted. A list in the order
of such numbers names the time of its last row too (`created`).
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, and_, exists, or_, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from chatapp.errors import InvalidRequest

LONGEST_CURSOR = 300  # characters
MOST_INTEGER = 2**63  # what a database can compare with

T = TypeVar("T")


class Keyset:
    """A unique order of one list: columns that together name one row, all in one direction.

    `name` is part of each cursor, so that a cursor of another list is refused. `created` is the
    time of a row whose one column may get the value of a deleted row.
    """

    def __init__(
        self,
        name: str,
        *columns: InstrumentedAttribute[Any],
        descending: bool = False,
        created: InstrumentedAttribute[datetime] | None = None,
    ) -> None:
        self._name = name
        self._columns = columns
        self._descending = descending
        self._created = created
        self._named = columns if created is None else (*columns, created)

    def page(
        self, t: Session, query: Select[T], after: str | None, limit: int | None
    ) -> tuple[Sequence[T], str | None]:
        """Return the rows that follow a cursor, and the cursor of the next page.

        Raises InvalidRequest (field `after`) for a cursor of another list: starting over silently
        would make a client that follows `next` loop forever.
        """
        query = query.order_by(
            *(each.desc() if self._descending else each for each in self._columns)
        )
        if after:
            query = query.where(self._beyond(self._decode(after)))
        if limit is None:
            return t.scalars(query).all(), None
        rows = t.scalars(query.limit(limit + 1)).all()
        return rows[:limit], self._cursor(rows[limit - 1]) if len(rows) > limit else None

    def _beyond(self, values: Sequence[Any]) -> ColumnElement[bool]:
        if self._created is not None:
            return self._beyond_or_newer(self._created, *values)
        here, there = tuple_(*self._columns), tuple_(*values)
        return here < there if self._descending else here > there

    def _beyond_or_newer(
        self, created: InstrumentedAttribute[datetime], number: int, moment: datetime
    ) -> ColumnElement[bool]:
        """Say which rows follow one that may have been deleted and its number given again.

        While it exists, no number up to its own is given again.
        """
        [column] = self._columns
        row = aliased(column.class_)
        stands = exists().where(
            getattr(row, column.key) == number, getattr(row, created.key) == moment
        )
        return or_(column > number, and_(created > moment, ~stands))

    def _cursor(self, row: Any) -> str:
        values = [getattr(row, column.key) for column in self._named]
        shown = [each.isoformat() if isinstance(each, datetime) else each for each in values]
        text = json.dumps([self._name, *shown], separators=(",", ":"))
        return urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def _decode(self, cursor: str) -> list[Any]:
        try:
            padded = cursor + "=" * (-len(cursor) % 4)
            name, *values = json.loads(urlsafe_b64decode(padded.encode("ascii")))
            kinds = [column.type.python_type for column in self._named]
            if name != self._name or len(cursor) > LONGEST_CURSOR:
                raise ValueError("a cursor of another list")
            return [_value(kind, value) for kind, value in zip(kinds, values, strict=True)]
        except (ValueError, TypeError, RecursionError) as fault:
            raise InvalidRequest("after", "cursor") from fault


def _value(kind: type[Any], value: Any) -> Any:
    """Return a cursor's value as the database compares it; raise ValueError or TypeError."""
    if kind is datetime:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            raise ValueError("times are stored without a zone")
        return moment
    if type(value) is not kind:
        raise TypeError(f"not a {kind.__name__}")
    if isinstance(value, int) and abs(value) >= MOST_INTEGER:
        raise ValueError("too large for a database")
    if isinstance(value, str) and not value.isprintable():
        raise ValueError("not an id")
    return value
