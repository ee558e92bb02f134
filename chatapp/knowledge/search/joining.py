"""Neighbouring chunks become one passage, and later passages take the places of those joined."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chatapp.core.prompt import Passage
from chatapp.core.text import count_tokens
from chatapp.storage.text_models import FileText

MAX_JOINED = 4  # chunks in one passage
FILLED_TOKENS = 272  # for each passage, up to which the places of joined ones are filled


@dataclass(frozen=True, slots=True)
class Hit:
    """A retrieved chunk, or several adjacent ones."""

    passage: Passage
    first: int
    last: int


def join_best(session: Session, hits: Sequence[Hit], k: int) -> list[Hit]:
    """Return the first `k` passages.

    Where neighbours are joined, later ones take their places, if all together are not too long.
    """
    found = _join(session, hits[:k])
    for hit in hits[k:]:
        tokens = sum(count_tokens(each.passage.text) for each in [*found, hit])
        if len(found) == k or tokens > k * FILLED_TOKENS:
            break
        found = _join(session, [*found, hit])
    return found


def _join(session: Session, found: Sequence[Hit]) -> list[Hit]:
    """Join adjacent chunks under one heading on one page, ranked as the best of them."""
    joined: list[Hit] = []
    for each in found:
        for place, other in enumerate(joined):
            same = _place(other.passage) == _place(each.passage)
            beside = each.first == other.last + 1 or each.last == other.first - 1
            if (
                same
                and beside
                and max(each.last, other.last) - min(each.first, other.first) < MAX_JOINED
            ):
                joined[place] = _joined(session, other, each)
                break
        else:
            joined.append(each)
    return joined if len(joined) == len(found) else _join(session, joined)


def _place(passage: Passage) -> tuple[str, str, int | None]:
    return passage.file_id, passage.heading, passage.page


def _joined(session: Session, one: Hit, other: Hit) -> Hit:
    start, end = (
        min(one.passage.start, other.passage.start),
        max(one.passage.end, other.passage.end),
    )
    part = func.substr(FileText.text, start + 1, end - start)
    text = session.scalars(select(part).where(FileText.file_id == one.passage.file_id)).one()
    page = min(one.passage, other.passage, key=lambda passage: passage.start).page
    score = max(one.passage.score, other.passage.score)
    passage = replace(one.passage, start=start, end=end, text=text, page=page, score=score)
    return Hit(passage, min(one.first, other.first), max(one.last, other.last))
