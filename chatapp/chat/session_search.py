"""Searching a user's sessions: every word must occur, in the title or in any message.

`"…"` makes a phrase. Chinese has no spaces between its words: characters that stand together
nowhere are searched for as words of two or three characters (`ways`). `session_matches.py` finds
the sessions; here a query is read, and what was found is shown.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session as Transaction

from chatapp.chat.session_matches import Matches, contains, spellings
from chatapp.core.inline_marks import without_marks
from chatapp.storage.models import Message, Session

AROUND_CHARACTERS = 60  # of a snippet, before and behind what was found
PARAGRAPH_CHARACTERS = 400  # around it, in which Markdown is removed before the snippet is cut
TOGETHER_CHARACTERS = 120  # within which a snippet shows several terms
MOST_HITS = 50  # of one term in one text that are compared
MOST_TERMS = 8  # of a query that are considered for a snippet
MOST_HAN = 8  # characters without a space that are split into words
_HAN = re.compile("[\\u3400-\\u9fff]")
_BLOCK_MARKS = re.compile(r"[ \t]*(?:(?:`{3,}|~{3,}).*|(?:#{1,6}[ \t]+|>[ \t]?|[-*+][ \t]+)+)")
_TABLE_RULE = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t:|-]*)?$")
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
    matches = Matches(t, user_id)
    sessions = matches.titled(terms, limit)
    together = [[[term]] for term in terms]
    if len(sessions) < limit:
        known = [session.id for session in sessions]
        sessions += matches.matching(together, known, limit - len(sessions))
    if not sessions:
        sessions = matches.recent(together)[:limit]
    if not sessions and not _QUOTED.search(query):
        split = [ways(run) for term in terms for run in _RUN.findall(term)]
        terms = list(dict.fromkeys(word for way in chain(*split) for word in way))
        sessions = matches.matching(split, (), limit)
    snippets = _snippets(t, [session.id for session in sessions], terms) if sessions else {}
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


def snippet(text: str, terms: Sequence[str]) -> str:
    """Cut a text where it shows the most terms, without Markdown; its beginning if it has none."""
    start, end = _best_place(text, terms)
    start, end = max(0, start - PARAGRAPH_CHARACTERS), end + PARAGRAPH_CHARACTERS
    around = text[start:end]
    plain = without_marks("\n".join(map(_unmarked, around.split("\n"))))
    if _hits(around, terms) and not _hits(plain, terms):  # they stand in an address or a mark
        plain = around
    first, last = _best_place(plain, terms)
    first, last = max(0, first - AROUND_CHARACTERS), last + AROUND_CHARACTERS
    cut = " ".join(plain[first:last].split())
    is_cut_before, is_cut_after = start + first > 0, end < len(text) or last < len(plain)
    return f"{'…' if is_cut_before else ''}{cut}{'…' if is_cut_after else ''}"


def _unmarked(line: str) -> str:
    """Return a line without the mark of its block: heading, list, quotation, table, code."""
    if _TABLE_RULE.match(line):
        return ""
    if line.lstrip().startswith("|"):
        return line.replace("|", " ")
    found = _BLOCK_MARKS.match(line)
    return line[found.end() :] if found else line


def marks(text: str, terms: Sequence[str]) -> list[tuple[int, int]]:
    """Return where terms occur in a text, in order, without overlaps."""
    found: list[tuple[int, int]] = []
    for start, end, _ in _hits(text, terms):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _snippets(
    t: Transaction, ids: Sequence[str], terms: Sequence[str]
) -> dict[str, tuple[str, str]]:
    """Return text and id of a message of each session: the latest of those with the most terms."""
    contained = [contains(Message.content, term) for term in terms]
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
