"""Searching a user's sessions: every word must occur, in the title or in any message.

`"…"` makes a phrase. The database compares without regard to case: SQLite does so for ASCII letters
only, hence `spellings`. A text without spaces between its words, such as Chinese, is one word.
"""

import re
from collections.abc import Sequence
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, case, exists, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.orm import Session as Transaction

from chatapp.storage.models import Message, Session

AROUND_CHARACTERS = 60  # of a snippet, before and behind what was found
TOGETHER_CHARACTERS = 120  # within which a snippet shows several terms
MOST_HITS = 50  # of one term in one text that are compared
MOST_TERMS = 8  # of a query that are considered for a snippet
_TERM = re.compile(r'"([^"]*)"?|“([^”]*)”?|「([^」]*)」?|(\S+)')


def terms_of(query: str) -> list[str]:
    """Return the words and phrases of a query, each once; an open quote lasts to the end."""
    found = (" ".join("".join(parts).split()) for parts in _TERM.findall(query))
    terms = {term.casefold(): term for term in found if term}
    return list(terms.values()) or query.split()  # quotation marks alone are what is searched for


def search_sessions(
    t: Transaction, user_id: str, query: str, limit: int
) -> list[tuple[Session, str]]:
    """Return the latest sessions that contain all terms of a query, each with a snippet."""
    terms = terms_of(query)
    if not terms:
        return []
    found = (
        select(Session)
        .where(Session.user_id == user_id, Session.kind == "chat")
        .where(*(_occurs(term) for term in terms))
        .order_by(Session.updated_at.desc())
        .limit(limit)
    )
    sessions = t.scalars(found).all()
    snippets = _snippets(t, [session.id for session in sessions], terms)
    return [(row, snippets.get(row.id) or snippet(row.title, terms)) for row in sessions]


def spellings(term: str) -> list[str]:
    """Return the case variants of a term, for databases that fold case for ASCII only."""
    if term.isascii():
        return [term]
    cases = (term, term.lower(), term.upper(), term.title(), term.capitalize(), term.casefold())
    return list(dict.fromkeys(cases))


def snippet(text: str, terms: Sequence[str]) -> str:
    """Cut a text where it shows the most terms; its beginning if it contains none."""
    start, end = _best_place(text, terms)
    start, end = max(0, start - AROUND_CHARACTERS), end + AROUND_CHARACTERS
    cut = " ".join(text[start:end].split())
    return f"{'…' if start else ''}{cut}{'…' if end < len(text) else ''}"


def _occurs(term: str) -> ColumnElement[bool]:
    """Say that the title of a session or one of its messages contains a term."""
    said = exists().where(Message.session_id == Session.id, _contains(Message.content, term))
    return or_(_contains(Session.title, term), said)


def _contains(column: InstrumentedAttribute[str], term: str) -> ColumnElement[bool]:
    return or_(*(column.icontains(each, autoescape=True) for each in spellings(term)))


def _snippets(t: Transaction, ids: Sequence[str], terms: Sequence[str]) -> dict[str, str]:
    """Return a snippet of each session: of the message with the most terms, the latest of them."""
    contained = [_contains(Message.content, term) for term in terms]
    counted: Any = sum(case((each, 1), else_=0) for each in contained)
    place = func.row_number().over(
        partition_by=Message.session_id, order_by=(counted.desc(), Message.number.desc())
    )
    ranked = (
        select(Message.session_id, Message.content, place.label("place"))
        .where(Message.session_id.in_(ids), or_(*contained))
        .subquery()
    )
    best = select(ranked.c.session_id, ranked.c.content).where(ranked.c.place == 1)
    return {row.session_id: snippet(row.content, terms) for row in t.execute(best)}


def _best_place(text: str, terms: Sequence[str]) -> tuple[int, int]:
    """Return where the most terms occur together, from the first to the end of the last."""
    hits = sorted(
        (hit.start(), hit.end(), number)
        for number, term in enumerate(terms[:MOST_TERMS])
        for hit in islice(_pattern(term).finditer(text), MOST_HITS)
    )
    best, most = (0, 0), 0
    for start, end, _ in hits:
        near = [hit for hit in hits if start <= hit[0] <= start + TOGETHER_CHARACTERS]
        if len({number for _, _, number in near}) > most:
            most = len({number for _, _, number in near})
            best = (start, max(end, *(hit[1] for hit in near)))
    return best


def _pattern(term: str) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, spellings(term))), re.IGNORECASE)
