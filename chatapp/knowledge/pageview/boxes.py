"""Finds a passage on its page: pure, on the characters of the page and their boxes; on pages that
recognition read, by the lines that it stores.

A document's text is not the page's: lines are joined, hyphens and ligatures gone, rows of tables
repeat their headers, running heads are left out. So both are compared by their letters and digits
alone. A passage is looked for as a whole, then in ever smaller parts; a part is marked only where
it is clear which of several places it is. What is not found is not marked.
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chatapp.core.text import UNSPACED
from chatapp.knowledge.formats.tables import JOINT
from chatapp.knowledge.pageview.picture import UNITS, Box

MAX_BOXES = 300  # on one page
MAX_PLACES = 1000  # of one part on a page that are looked at
NEAR = 300  # letters after the part before, within which a part may follow
CLEAR = 12  # letters; shorter parts that stand on a page once may still be another's
SMALLEST = 6  # letters of a part of a sentence
GAP = 1.2  # of a line's height, between two boxes of one line
SHARED = 0.5  # of the smaller height, that boxes of one line share
# Where a passage is cut into parts, the strongest cuts first.
_CUTS = (re.compile(r"\n+"), re.compile(re.escape(JOINT)), re.compile(r"(?<=[.!?。！？；])\s*|: "))
_WIDE = re.compile(f"[{UNSPACED}]")


@dataclass(frozen=True, slots=True)
class Letters:
    """The letters and digits of a text, each folded, with its place in the text."""

    text: str
    places: tuple[int, ...]
    source: str

    @classmethod
    def of(cls, source: str, start: int = 0, end: int | None = None) -> "Letters":
        """Return the letters of a text, or of a range of it."""
        letters: list[str] = []
        places: list[int] = []
        for place in range(start, len(source) if end is None else min(end, len(source))):
            for letter in _folded(source[place]):
                letters.append(letter)
                places.append(place)
        return cls("".join(letters), tuple(places), source)

    def begins(self, at: int) -> bool:
        """Return whether a word begins with this letter."""
        return at == 0 or self._parts(at - 1, at)

    def ends(self, at: int) -> bool:
        """Return whether a word ends before this letter."""
        return at == len(self.text) or self._parts(at - 1, at)

    def _parts(self, left: int, right: int) -> bool:
        one, other = self.places[left], self.places[right]
        return other - one > 1 or (
            other > one and bool(_WIDE.match(self.source[one]) or _WIDE.match(self.source[other]))
        )

    def find(self, part: str) -> list[int]:
        """Return where a part stands, from the beginning of a word to the end of one."""
        found: list[int] = []
        at = self.text.find(part)
        while at >= 0 and len(found) < MAX_PLACES:
            if self.begins(at) and self.ends(at + len(part)):
                found.append(at)
                at += len(part) - 1
            at = self.text.find(part, at + 1)
        return found


def _folded(character: str) -> str:
    if character.isascii():
        return character.lower() if character.isalnum() else ""
    whole = unicodedata.normalize("NFKD", character).casefold()
    return "".join(filter(str.isalnum, whole))


def passage_boxes(
    page_text: str, boxes: Sequence[Box], text: str, start: int, end: int
) -> list[Box]:
    """Return the boxes of `text[start:end]` on a page.

    `text` is what the document has of the page; `page_text` and `boxes` are the page's characters.
    """
    finder = _Finder(Letters.of(page_text), Letters.of(text), text)
    marked = sorted(finder.search(start, end))
    return merge([boxes[place] for place in _with_marks(page_text, marked)])[:MAX_BOXES]


def line_boxes(lines: Sequence[Sequence[float]], start: int, end: int) -> list[Box]:
    """Return the boxes of a range of a page's text that recognition read.

    `lines` are start and end in that text, then left, top, right and bottom in shares of the page.
    """
    found = [line[2:] for line in lines if line[0] < end and line[1] > start]
    boxes = [tuple(round(UNITS * min(max(side, 0), 1)) for side in sides) for sides in found]
    return boxes[:MAX_BOXES]  # type: ignore[return-value]


class _Finder:
    """Looks for parts of a text on a page; remembers where the last one ended."""

    def __init__(self, page: Letters, document: Letters, text: str) -> None:
        self._page = page
        self._document = document
        self._text = text
        self._cursor: int | None = None

    def search(self, start: int, end: int, cuts: int = 0) -> Iterator[tuple[int, int]]:
        """Yield the ranges of the page's characters that stand for a range of the text."""
        letters = Letters.of(self._text, start, end)
        if not letters.text:
            return
        if self._cursor is None:
            self._cursor = self._begin(start)
        at = self._choose(letters.text, start)
        if at is not None:
            self._cursor = at + len(letters.text)
            yield self._page.places[at], self._page.places[self._cursor - 1] + 1
            return
        for cut, pattern in enumerate(_CUTS[cuts:], cuts):
            parts = list(_split(pattern, self._text, start, end))
            if len(parts) > 1:
                for part in parts:
                    yield from self.search(*part, cut)
                return
        yield from self._halves(letters, start, end)

    def _halves(self, letters: Letters, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Look for the two halves of a sentence, cut between two words."""
        if len(letters.text) < 2 * SMALLEST:
            return
        middle = len(letters.text) // 2
        cut = next((at for at in range(middle, len(letters.text)) if letters.begins(at)), None)
        if cut is None:
            return
        yield from self.search(start, letters.places[cut], len(_CUTS))
        yield from self.search(letters.places[cut], end, len(_CUTS))

    def _begin(self, start: int) -> int | None:
        """Return where on the page the text before a passage ends, if that is clear."""
        until = bisect_left(self._document.places, start)
        before = self._document.text[max(0, until - NEAR) : until]
        for length in (64, 32, 16):
            found = self._page.find(before[-length:]) if len(before) >= length else []
            if len(found) == 1:
                return found[0] + length
        return 0 if not until else None

    def _choose(self, part: str, start: int) -> int | None:
        """Return the place of a part on the page, None where there is none or it is not clear."""
        places = self._page.find(part)
        if not places:
            return None
        of_text = self._document.find(part)
        if len(of_text) == len(places):  # the same repetitions: take the one of the same rank
            rank = bisect_left(of_text, bisect_left(self._document.places, start))
            if rank < len(places):
                return places[rank]
        if self._cursor is not None:
            near = [at for at in places if self._cursor <= at <= self._cursor + NEAR]
            if near:
                return near[0]
        return places[0] if len(places) == 1 and len(part) >= CLEAR else None


def _split(pattern: re.Pattern[str], text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for found in pattern.finditer(text, start, end):
        if found.start() > start:
            yield start, found.start()
        start = found.end()
    if start < end:
        yield start, end


def _with_marks(page: str, ranges: Sequence[tuple[int, int]]) -> Iterator[int]:
    """Yield the places of the ranges, each with the punctuation that ends it."""
    last = -1
    for start, end in ranges:
        while end < len(page) and not page[end].isalnum() and not page[end].isspace():
            end += 1
        yield from range(max(start, last), end)
        last = max(last, end)


def merge(boxes: Sequence[Box]) -> list[Box]:
    """Join the boxes of neighbouring characters; empty ones are left out."""
    merged: list[Box] = []
    last: Box | None = None
    for box in boxes:
        if box[0] >= box[2] or box[1] >= box[3]:
            continue
        if last is not None and (_follows(last, box, 0) or _follows(last, box, 1)):
            whole = merged[-1]
            merged[-1] = (
                min(whole[0], box[0]),
                min(whole[1], box[1]),
                max(whole[2], box[2]),
                max(whole[3], box[3]),
            )
        else:
            merged.append(box)
        last = box
    return merged


def _follows(one: Box, other: Box, along: int) -> bool:
    """Return whether two boxes are neighbours in a line along x (0) or y (1)."""
    across = 1 - along
    height = min(one[across + 2] - one[across], other[across + 2] - other[across])
    shared = min(one[across + 2], other[across + 2]) - max(one[across], other[across])
    apart = max(one[along], other[along]) - min(one[along + 2], other[along + 2])
    return shared >= SHARED * height and apart <= GAP * height
