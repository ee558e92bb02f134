"""Which sentences of a passage may be quoted, and which words of the question each contains.

Headings, questions and sentences that end in a colon are not quoted. They say what the sentences
after them are about, so their words count for those too, less with distance: under "Where is my
data stored?" the next sentence need not repeat "data".
"""

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from chatapp.core.chinese import simplified
from chatapp.core.ranking import coverage
from chatapp.core.text import HEADING_JOINT, Span, Stem, index_tokens, sentences

DECAY = 0.7  # of a heading's words, for each sentence after the next

_FENCE = re.compile(r"[ \t]*(?:`{3,}|~{3,})")
_PROSE_BELOW = re.compile(
    r"\n[ \t]*\n(?=[^\W\d_a-z](?=[^\n]{30})[^\n]*[.!?\u3002\uff01\uff1f][ \t]*(?:\n|\Z))"
)
_ATX = re.compile(r"[ \t]*#{1,6}[ \t]+\S")
_MARKUP = re.compile(r"^[ \t]*#{1,6}[ \t]+|[ \t]+#+[ \t]*$|[*_`]")
_ANNOUNCES = re.compile(r"[?？:：][*_]*$")
_ITEM = re.compile(r"(?:[-*+•]|\d{1,3}[.)、])[ \t]+\S|\d{1,3}、\S")
_CHAPTER = re.compile("第[一二三四五六七八九十百零0-9]+[章节篇编][^。！？；，]{0,40}$")
_SAYS_NOTHING = re.compile(r"(?:\d{1,3}[.)、]|[\W_]+)$")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence. Its kind is text, item (of a list), code, title or mark (no words).

    `held` maps tokens of the question to their weight here: 1 in the sentence itself, less where
    inherited from a title.
    """

    span: Span
    kind: str
    tokens: frozenset[str]
    held: Mapping[str, float]

    @property
    def quotable(self) -> bool:
        """Whether the sentence may be quoted."""
        return self.kind not in ("title", "mark")


def read_sentences(text: str, heading: str, asked: Set[str], stem: Stem) -> list[Sentence]:
    """Return a passage's sentences in order; `heading` is the path of headings above it."""
    inherited: dict[str, float] = {}
    found: list[Sentence] = []
    for span, kind in _kinds(text, heading):
        tokens = frozenset(index_tokens(text[span.start : span.end], stem, frozenset()))
        own = dict.fromkeys(tokens & asked, 1.0)
        found.append(Sentence(span, kind, tokens, own if kind == "title" else inherited | own))
        if kind == "title":
            inherited |= own
        elif kind != "mark":
            inherited = {token: part * DECAY for token, part in inherited.items()}
    return found


def best_quote(
    text: str, heading: str, weights: Mapping[str, float], stem: Stem
) -> tuple[Span, float]:
    """Return the sentence to quote, and the largest share of the question's weight in one sentence.

    Of equal sentences the shorter one is quoted. The share may be a heading's: a question in the
    words of a heading has found its section.
    """
    read = read_sentences(text, heading, weights.keys(), stem)
    if not read:
        return Span(0, len(text)), 0.0

    def value(sentence: Sentence) -> tuple[float, int]:
        held = sum(weights[token] * part for token, part in sentence.held.items())
        return held, sentence.span.start - sentence.span.end

    best = max([one for one in read if one.quotable] or read, key=value)
    return best.span, max(coverage(weights, one.tokens) for one in read)


def is_title(text: str, heading: str) -> bool:
    """Return whether a text holds only headings."""
    return not any(kind not in ("title", "mark") for _, kind in _kinds(text, heading))


def _kinds(text: str, heading: str) -> Iterator[tuple[Span, str]]:
    """Yield the sentences' spans and kinds; a block of fenced code counts as one sentence."""
    titles = {_bare(part) for part in heading.split(HEADING_JOINT)} - {""}
    fences = [span for span in _lines(text) if _FENCE.match(text, span.start)]
    # A passage may begin inside a block: then its first fence, without a language, closes it.
    if len(fences) % 2:
        closes = not text[fences[0].start : fences[0].end].strip(" \t`~")
        fences = [Span(0, 0), *fences] if closes else [*fences, _open_end(text, fences[-1].end)]
    start = 0
    for opens, closes_at in zip(fences[::2], fences[1::2], strict=True):
        yield from _prose(text, start, opens.start, titles)
        if code := text[opens.end : closes_at.start].strip("\n"):
            first = text.index(code, opens.end)
            yield Span(first, first + len(code)), "code"
        start = closes_at.end
    yield from _prose(text, start, len(text), titles)


def _open_end(text: str, start: int) -> Span:
    """Return where a block that nothing closes ends: before the next paragraph of prose."""
    prose = _PROSE_BELOW.search(text, start)
    end = prose.start() if prose else len(text)
    return Span(end, end)


def _lines(text: str) -> Iterator[Span]:
    start = 0
    for line in text.split("\n"):
        yield Span(start, start + len(line))
        start += len(line) + 1


def _prose(text: str, start: int, end: int, titles: Set[str]) -> Iterator[tuple[Span, str]]:
    part = text[start:end]
    for span in sentences(part):
        line = part[part.rfind("\n", 0, span.start) + 1 : _line_end(part, span.start)]
        yield (
            Span(start + span.start, start + span.end),
            _kind(part[span.start : span.end], line, titles),
        )


def _kind(sentence: str, line: str, titles: Set[str]) -> str:
    if sentence in line and (
        _ATX.match(line) or _CHAPTER.match(simplified(line.strip())) or _bare(line) in titles
    ):
        return "title"
    if _SAYS_NOTHING.match(sentence):
        return "mark"
    if _ANNOUNCES.search(sentence):
        return "title"
    return "item" if _ITEM.match(sentence) else "text"


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _bare(title: str) -> str:
    return " ".join(_MARKUP.sub("", title).split()).casefold()
