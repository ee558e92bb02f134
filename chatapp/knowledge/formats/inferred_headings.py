"""Infers unmarked headings: lines numbered like chapters, or set off by size or weight.

Used only for documents without any marked heading. When in doubt, a line is no heading: a wrong
heading misleads more than a missing one.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from chatapp.core.text import count_tokens

MAX_TOKENS = 24  # of a heading: some twenty words, or as many Chinese characters
SIZE_RATIO = 1.12  # of a heading's size to the body text's
# Headings may hold this share of the characters; otherwise nothing stands out.
MAX_HEADING_SHARE = 0.35
_ENDS = "。．.;；,，:：!！?？、…"
_NUMBER = "[一二三四五六七八九十百零〇\\d]+"
_CHAPTERS = (  # pattern, level, and whether the pattern alone makes a heading
    (re.compile(f"第{_NUMBER}[编編部篇]"), 1, True),
    (re.compile(f"第{_NUMBER}章"), 2, True),
    (re.compile(f"第{_NUMBER}[节節]"), 3, True),
    (
        re.compile(r"(?:chapter|part|appendix|annex)\s+(?:\d+|[ivxlc]+|[a-z])\b", re.IGNORECASE),
        2,
        True,
    ),
    (re.compile("[一二三四五六七八九十]{1,3}、"), 4, True),
    (re.compile("[（(][一二三四五六七八九十]{1,3}[)）]"), 5, False),
    (re.compile(r"(?:section|article|clause|§)\s*\d+", re.IGNORECASE), 3, False),
)
_MAY_BE_CHAPTER = re.compile("[第一二三四五六七八九十（(cpas§]", re.IGNORECASE)
_DECIMAL = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,4})[.、\s]\s*\S")


class Line(NamedTuple):
    """A paragraph or line and its appearance; size 0 is unknown."""

    text: str
    size: float = 0.0
    bold: bool = False


def infer_headings(lines: Sequence[Line]) -> dict[int, int]:
    """Return the level of each likely heading, by the line's index."""
    weights: Counter[float] = Counter()
    for line in lines:
        weights[line.size] += len(line.text)
    body = weights.most_common(1)[0][0] if weights else 0.0
    sizes = sorted(
        {line.size for line in lines if body and line.size >= body * SIZE_RATIO}, reverse=True
    )
    found: dict[int, int] = {}
    for place, line in enumerate(lines):
        level = _level(line, body, sizes)
        if level is not None:
            found[place] = level
    headed = sum(len(lines[place].text) for place in found)
    return found if headed <= MAX_HEADING_SHARE * weights.total() else {}


def _level(line: Line, body: float, sizes: Sequence[float]) -> int | None:
    text = line.text.strip()
    if (
        not text
        or "\n" in text
        or text[-1] in _ENDS
        or count_tokens(text) > MAX_TOKENS
        or not any(map(str.isalpha, text))
    ):
        return None
    stands_out = line.bold or (body > 0 and line.size >= body * SIZE_RATIO)
    for pattern, level, alone in _CHAPTERS if _MAY_BE_CHAPTER.match(text) else ():
        if pattern.match(text):
            return level if alone or stands_out else None
    if not stands_out:
        return None
    if numbered := _DECIMAL.match(text):
        return 3 + numbered.group(1).count(".")
    return 1 + min(sizes.index(line.size), 3) if line.size in sizes else 5
