"""Text processing: normalising, sentences, splitting with offsets, and tokens for search.

Offsets count code points of the normalised text and are carried through splitting, not searched for
afterwards. Chinese, Japanese, Korean and Thai have no blanks between words: their single characters
and pairs are indexed, and only pairs are searched for (measured: the same hits, 15 times faster).
Traditional and simplified Chinese have the same tokens. The stemmer is passed in as a function.
"""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from chatapp.core.chinese import simplified
from chatapp.core.unseen import CONTROLS, without_invisible

# Version of the tokens: each base records the one it is indexed with. A change of the tokens needs
# the next number, and keeps the former ones until no base has them. 2 folds Chinese characters, 3
# reads over characters that show nothing.
TOKENIZER, SPLIT_BY_INVISIBLE, UNFOLDED = 3, 2, 1
CHUNK_TOKENS = 250
TOKEN_CHARACTERS = 64  # longer words are cut
WIDE_SHARE = 0.1
HEADING_JOINT = " › "  # between the headings above a passage, outermost first

Stem: TypeAlias = Callable[[str], str]

# Scripts written without blanks: Thai to Khmer, kana, bopomofo, Han, Hangul.
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30fa\u30fc-\u312f"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_RUN = re.compile(f"([{UNSPACED}]+)|([^\\W_{UNSPACED}]+)")
# Characters that count as one model token: the above and full-width punctuation.
_WIDE = re.compile(f"[{UNSPACED}\u3000-\u303f\uff00-\uffef]")

_STOP_WORDS = (
    "a about above after again against all also am an and any are as at be because been before "
    "being below between both but by can could did do does doing don down during each few for "
    "from further had has have having he her here hers herself him himself his how i if in into "
    "is it its itself just ll m many me more most much my myself no nor not now of off on once "
    "only or other our ours ourselves out over own re s same shall she should so some such t than "
    "that the their theirs them themselves then there these they this those through to too under "
    "until up ve very was we were what when where which while who whom whose why will with would "
    "you your yours yourself yourselves"
)
STOP_WORDS = frozenset(_STOP_WORDS.split())
# Question words, which are not searched for; longer ones first: the first match wins. Like all
# Chinese words compared here, in simplified characters.
_ASKING = re.compile(
    "为什么|什么样|什么时候|什么|甚么|怎么样|怎么办|怎么回事|怎样|怎么|如何|多少|几个|哪一|哪些|哪个|"
    "哪里|哪儿|哪几|哪|是谁|谁|是否|是不是|有没有|能不能|能否|会不会|可不可以|可否|要不要|请问|吗|呢|请"
)
# Dropped where one remains alone between question words.
_PRONOUNS = frozenset("你您我他她它这那")


@dataclass(frozen=True, slots=True)
class Span:
    """The range from `start` to before `end`."""

    start: int
    end: int


# --- normalising ------------------------------------------------------------------------------

_NOT_STORED = re.compile(f"[{CONTROLS}]")
_LINE_END = re.compile("\r\n?|[\x0c\x85\u2028\u2029]")
_BLANKS = re.compile("[\u00a0\u2000-\u200a\u202f\u205f]")


def normalise(text: str) -> str:
    """Return text as it is stored: NFC, line ends as LF, no control characters."""
    if text.isprintable():  # one line without blanks or controls to replace
        return unicodedata.normalize("NFC", text).rstrip(" ")
    if not text.isascii():
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        text = _BLANKS.sub(" ", text)
    text = _NOT_STORED.sub("", _LINE_END.sub("\n", text))
    # Only now: a mark may compose with the letter before a character that was dropped.
    text = unicodedata.normalize("NFC", text)
    if "\n" not in text:
        return text.rstrip(" \t")
    # By lines: a pattern that looks ahead is quadratic in a long run of blanks.
    text = "\n".join(line.rstrip(" \t") for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


def count_tokens(text: str) -> float:
    """Estimate a model's tokens: a CJK character counts 1, any other ¼."""
    wide = 0 if text.isascii() else len(_WIDE.findall(text))
    return wide + (len(text) - wide) / 4


def is_wide(text: str) -> bool:
    """Return whether a text is in a script without blanks; a few other words do not matter."""
    return len(_WIDE.findall(text)) > WIDE_SHARE * len(text)


def joins(above: str, below: str) -> str | None:
    """Return what joins two lines of a wrapped paragraph; None for an intended break."""
    above, below = above.rstrip(), below.lstrip()
    if not above or not below or above[-1] in "。！？；…：:.!?;|" or count_tokens(above) < 8:
        return None
    if _WIDE.match(above[-1]) and _WIDE.match(below[0]):
        return "" if count_tokens(above) >= 15 and not re.match("[第（(【《]", below) else None
    if _WIDE.match(below[0]) or _WIDE.match(above[-1]):
        return "" if count_tokens(above) >= 15 and re.match("[，、a-z0-9]", below) else None
    return (
        " "
        if re.match("[a-z0-9(\u00df-\u00f6\u00f8-\u00ff\u0430-\u044f\u03b1-\u03c9]", below)
        else None
    )


# --- sentences --------------------------------------------------------------------------------

_CLOSERS = "[」』”’\"'）)】》\\]]*"
_BREAK = re.compile(f"(\n[ \t]*\n\\s*)|(\n)|([。！？]+…*{_CLOSERS})|([.!?…]+{_CLOSERS}(?=\\s|$))")
# A line this long without an end was wrapped, also before a capital letter or code.
_FULL = re.compile(r"(?!\s*#{1,6}\s).{60,}[^\s。！？….!?|]\s*$")
_GOES_ON = re.compile(r"\s*(?![-*+]\s|\d{1,3}[.)]\s|[_*`~]{3})[\w*`\"'“(\[]")
_ABBREVIATION = re.compile(
    r"(?:^|\n)[ \t]*\d{1,3}\.$|"  # of a list
    r"(?:^|[\s(\[\"“])(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|Gen|Col|Lt|Capt|Rev|Hon|No|Nos|Vol|vol|"
    r"Fig|fig|Eq|Sec|pp|p|ed|vs|cf|ca|c|"
    r"e\.g|i\.e|approx|Inc|Ltd|Co|Corp|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec|(?:[A-Za-z]\.)+[A-Za-z])\.$"
)


def sentences(text: str) -> list[Span]:
    """Return the sentences' spans without surrounding blanks; a wrapped line does not end one."""
    spans: list[Span] = []
    start = 0
    for found in _BREAK.finditer(text):
        if not _ends_sentence(text, found):
            continue
        _add_stripped(spans, text, start, found.end())
        start = found.end()
    _add_stripped(spans, text, start, len(text))
    return spans


def _ends_sentence(text: str, found: re.Match[str]) -> bool:
    if found.group(2):
        line = text.rfind("\n", 0, found.start()) + 1
        end = text.find("\n", found.end())
        above, below = text[line : found.start()], text[found.end() : len(text) if end < 0 else end]
        return joins(above, below) is None and not (_FULL.match(above) and _GOES_ON.match(below))
    if found.group(4):
        following = text[found.end() : found.end() + 40].lstrip()[:1]
        return not following.islower() and not _ABBREVIATION.search(
            text, max(0, found.start() - 12), found.start() + 1
        )
    return True


def _add_stripped(spans: list[Span], text: str, start: int, end: int) -> None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        spans.append(Span(start, end))


# --- splitting --------------------------------------------------------------------------------

# Where a text may be cut, best first; cuts are after matches. None is inside "3.5" or "1,000".
_CUTS = re.compile(
    "(?P<r0>\n[ \t]*\n\\s*)|(?P<r1>\n)"
    f"|(?P<r2>[。！？；…]+{_CLOSERS}|(?<![.?!])[.?!]+{_CLOSERS}(?=\\s))"
    "|(?P<r3>[，、：]|[,;:](?=\\s))|(?P<r4>[ \t]+)"
)
_RANKS = {"r0": 0, "r1": 1, "r2": 2, "r3": 3, "r4": 4}


def split(text: str, hard: Sequence[int] = (), size: int = CHUNK_TOKENS) -> list[Span]:
    """Split into spans of at most `size` estimated tokens.

    No span crosses an offset in `hard` (headings, slides, sheets).
    """
    edges = [0, *(edge for edge in hard if 0 < edge < len(text)), len(text)]
    spans: list[Span] = []
    for start, end in pairwise(edges):
        _split_section(spans, text, start, end, size)
    return spans


def _split_section(spans: list[Span], text: str, start: int, end: int, size: int) -> None:
    places, weights, ranks = _cuts(text, start, end, size)
    first = 0
    while first < len(places) - 1:
        rest = weights[-1] - weights[first]
        last = len(places) - 1 if rest <= size else _best_cut(weights, ranks, first, rest, size)
        _add_stripped(spans, text, places[first], places[last])
        if spans and spans[-1].start > places[first]:
            spans[-1] = with_indentation(text, spans[-1], places[first])
        first = last


def with_indentation(text: str, span: Span, least: int) -> Span:
    """Begin a span with the indentation of its first line, which has a meaning in code."""
    start = span.start
    while start > least and text[start - 1] in " \t":
        start -= 1
    return Span(start, span.end) if start == 0 or text[start - 1] == "\n" else span


def _cuts(text: str, start: int, end: int, size: int) -> tuple[list[int], list[float], list[int]]:
    """Return the places to cut, the tokens before each, and the rank of each (0 is best)."""
    places, weights, ranks = [start], [0.0], [0]
    for found in _CUTS.finditer(text, start, end):
        _extend(places, weights, ranks, text, found.end(), _RANKS[found.lastgroup or "r4"], size)
    _extend(places, weights, ranks, text, end, 0, size)
    return places, weights, ranks


def _extend(
    places: list[int],
    weights: list[float],
    ranks: list[int],
    text: str,
    place: int,
    rank: int,
    size: int,
) -> None:
    if place <= places[-1]:
        return
    # More than four characters per token are too many in any script: no need to count.
    while (
        place - places[-1] > 4 * size or (weight := count_tokens(text[places[-1] : place])) > size
    ):
        places.append(places[-1] + size)  # a run without separators is cut at the limit
        weights.append(weights[-1] + count_tokens(text[places[-2] : places[-1]]))
        ranks.append(5)
    places.append(place)
    weights.append(weights[-1] + weight)
    ranks.append(rank)


def _best_cut(weights: list[float], ranks: list[int], first: int, rest: float, size: int) -> int:
    """Return the last of the best cuts in the upper half of `size`; a short rest is halved."""
    most = size if rest >= 1.5 * size else rest * 0.65
    low = bisect_left(weights, weights[first] + most / 2, first + 1)
    high = bisect_right(weights, weights[first] + most, low)
    if low >= high:
        return max(first + 1, bisect_right(weights, weights[first] + size, first + 1) - 1)
    best = min(ranks[low:high])
    return max(index for index in range(low, high) if ranks[index] == best)


# --- tokens -----------------------------------------------------------------------------------


def _fold(text: str, version: int) -> str:
    """Fold case, width, accents, thousands separators and, but for UNFOLDED, Chinese characters.

    Up to SPLIT_BY_INVISIBLE, characters that show nothing separate words.
    """
    if not text.isascii():
        if version > SPLIT_BY_INVISIBLE:
            text = without_invisible(text)
        text = unicodedata.normalize("NFKD", text)
        text = unicodedata.normalize("NFC", re.sub("[\u0300-\u036f]", "", text))
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text.casefold())
    return text if version == UNFOLDED else simplified(text)


def _runs(text: str, version: int) -> Iterator[tuple[str, str]]:
    for found in _RUN.finditer(_fold(text, version)):
        yield found.group(1) or "", (found.group(2) or "")[:TOKEN_CHARACTERS]


def index_tokens(
    text: str, stem: Stem, left_out: Set[str] = STOP_WORDS, version: int = TOKENIZER
) -> list[str]:
    """Return the index tokens of a text: stems, and single CJK characters and pairs."""
    tokens: list[str] = []
    for run, word in _runs(text, version):
        if word:
            if word not in left_out:
                tokens.append(stem(word))
            continue
        for i in range(len(run)):  # in order, so that positions show proximity
            tokens += (run[i], run[i : i + 2]) if i + 1 < len(run) else (run[i],)
    return tokens


def query_tokens(text: str, stem: Stem, version: int = TOKENIZER) -> list[str]:
    """Return a question's search tokens: stems, CJK pairs, and lone CJK characters.

    Every version returns the same number of them, in the same order.
    """
    return [
        token
        for token in _pairs(_without_asking(text), stem, STOP_WORDS, version)
        if simplified(token) not in _PRONOUNS
    ]


def _without_asking(text: str) -> str:
    """Replace question words by blanks."""
    text = without_invisible(text)  # in all versions, which have the same number of tokens
    kept, end = "", 0
    for found in _ASKING.finditer(simplified(text)):
        kept, end = f"{kept}{text[end : found.start()]} ", found.end()
    return kept + text[end:]


def small_words(text: str, stem: Stem, version: int = TOKENIZER) -> list[str]:
    """Return the search tokens of a question of stop words only ("What can you do?")."""
    return _pairs(without_invisible(text), stem, frozenset(), version)


def _pairs(text: str, stem: Stem, left_out: Set[str], version: int) -> list[str]:
    tokens: list[str] = []
    for run, word in _runs(text, version):
        if word:
            if word not in left_out:
                tokens.append(stem(word))
        elif len(run) == 1:
            tokens.append(run)
        else:
            tokens.extend(run[i : i + 2] for i in range(len(run) - 1))
    return tokens
