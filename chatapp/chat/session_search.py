"""Searching a user's sessions: every word must occur, in the title or in any message.

`"…"` makes a phrase. The database compares without regard to case: SQLite does so for ASCII letters
only, hence `spellings`. Chinese has no spaces between its words: characters that stand together
nowhere are searched for as words of two or three characters (`ways`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.orm import Session as Transaction

from chatapp.storage.models import Message, Session

AROUND_CHARACTERS = 60  # of a snippet, before and behind what was found
TOGETHER_CHARACTERS = 120  # within which a snippet shows several terms
MOST_HITS = 50  # of one term in one text that are compared
MOST_TERMS = 8  # of a query that are considered for a snippet
MOST_HAN = 8  # characters without a space that are split into words
_HAN = re.compile("[\\u3400-\\u9fff]")
_QUOTED = re.compile('["“「]')
_RUN = re.compile("[\\u3400-\\u9fff]+|[^\\u3400-\\u9fff]+")
_TERM = re.compile(r'"([^"]*)"?|“([^”]*)”?|「([^」]*)」?|(\S+)')


def terms_of(query: str) -> list[str]:
    """Return the words and phrases of a query, each once; an open quote lasts to the end."""
    found = (" ".join("".join(parts).split()) for parts in _TERM.findall(query))
    terms = {term.casefold(): term for term in found if term}
    return list(terms.values()) or query.split()  # quotation marks alone are what is searched for


@dataclass(frozen=True, slots=True)
class Found:
    """A session that contains all terms.

    `message_id` names the message of the snippet, None where only the title has one of the terms.
    Marks are the places of terms, in code points.
    """

    session: Session
    snippet: str
    message_id: str | None
    title_marks: list[tuple[int, int]]
    snippet_marks: list[tuple[int, int]]


def search_sessions(t: Transaction, user_id: str, query: str, limit: int) -> list[Found]:
    """Return sessions that contain all terms: first those with all in the title, latest first."""
    terms = terms_of(query)
    if not terms:
        return []
    latest = (
        select(Session)
        .where(Session.user_id == user_id, Session.kind == "chat")
        .order_by(Session.updated_at.desc())
    )
    titled = [_contains(Session.title, term) for term in terms]
    sessions = list(t.scalars(latest.where(*titled).limit(limit)))
    if len(sessions) < limit:
        others = latest.where(Session.id.not_in([session.id for session in sessions]))
        occurs = [_occurs(term) for term in terms]
        sessions += t.scalars(others.where(*occurs).limit(limit - len(sessions)))
    if not sessions and not _QUOTED.search(query):
        split = [ways(run) for term in terms for run in _RUN.findall(term)]
        terms = list(dict.fromkeys(word for way in chain(*split) for word in way))
        loose = (or_(*(and_(*map(_occurs, way)) for way in each)) for each in split)
        sessions += t.scalars(latest.where(*loose).limit(limit))
    snippets = _snippets(t, [session.id for session in sessions], terms)
    return [_found(session, snippets.get(session.id), terms) for session in sessions]


def _found(session: Session, best: tuple[str, str] | None, terms: Sequence[str]) -> Found:
    text, message_id = best or (session.title, None)
    cut = snippet(text, terms)
    return Found(session, cut, message_id, marks(session.title, terms), marks(cut, terms))


def ways(run: str) -> list[list[str]]:
    """Return the ways to read Chinese characters as words of two or three; [[run]] for others."""
    if not 4 <= len(run) <= MOST_HAN or not _HAN.match(run):
        return [[run]]
    sizes = [size for size in (2, 3) if len(run) - size > 1]
    return [[run[:size], *rest] for size in sizes for rest in ways(run[size:])]


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


def marks(text: str, terms: Sequence[str]) -> list[tuple[int, int]]:
    """Return where terms occur in a text, in order, without overlaps."""
    found: list[tuple[int, int]] = []
    for start, end, _ in _hits(text, terms):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _occurs(term: str) -> ColumnElement[bool]:
    """Say that the title of a session or one of its messages contains a term."""
    said = exists().where(Message.session_id == Session.id, _contains(Message.content, term))
    return or_(_contains(Session.title, term), said)


def _contains(column: InstrumentedAttribute[str], term: str) -> ColumnElement[bool]:
    return or_(*(column.icontains(each, autoescape=True) for each in spellings(term)))


def _snippets(
    t: Transaction, ids: Sequence[str], terms: Sequence[str]
) -> dict[str, tuple[str, str]]:
    """Return text and id of a message of each session: the latest of those with the most terms."""
    contained = [_contains(Message.content, term) for term in terms]
    counted: Any = sum(case((each, 1), else_=0) for each in contained)
    place = func.row_number().over(
        partition_by=Message.session_id, order_by=(counted.desc(), Message.number.desc())
    )
    ranked = (
        select(Message.session_id, Message.content, Message.id, place.label("place"))
        .where(Message.session_id.in_(ids), or_(*contained))
        .subquery()
    )
    best = select(ranked).where(ranked.c.place == 1)
    return {row.session_id: (row.content, row.id) for row in t.execute(best)}


def _best_place(text: str, terms: Sequence[str]) -> tuple[int, int]:
    """Return where the most terms occur together, from the first to the end of the last."""
    hits = _hits(text, terms)
    best, most = (0, 0), 0
    for start, end, _ in hits:
        near = [hit for hit in hits if start <= hit[0] <= start + TOGETHER_CHARACTERS]
        if len({number for _, _, number in near}) > most:
            most = len({number for _, _, number in near})
            best = (start, max(end, *(hit[1] for hit in near)))
    return best


def _hits(text: str, terms: Sequence[str]) -> list[tuple[int, int, int]]:
    """Return start, end and number of the term of each hit, in order."""
    return sorted(
        (hit.start(), hit.end(), number)
        for number, term in enumerate(terms[:MOST_TERMS])
        for hit in islice(_pattern(term).finditer(text), MOST_HITS)
    )


def _pattern(term: str) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, spellings(term))), re.IGNORECASE)
