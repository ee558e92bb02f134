"""The notations of thinking inside a model's text, and how they are found wherever text is cut.

`Tags` cuts text into tags and what is between them; `Code` follows which text is code. What a tag
means is decided in think_tags.py.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from chatapp.core.blank import after_blanks, is_blank

# Names of tags, `<name>…</name>`. `<thought>` is Gemini's, `<seed:think>` Seed-OSS's.
NAMES = (
    "think",
    "thinking",
    "thought",
    "thoughts",
    "reasoning",
    "reason",
    "antthinking",
    "ant_thinking",
    "inner_thought",
    "internal_thought",
    "seed:think",
    "mm:think",
    "longcat_think",
)
# Pairs in other notations: Mistral, Kimi, OpenThinker, Cohere, Gemma 4, Apertus.
PAIRS = (
    ("[think]", "[/think]"),
    ("[thinking]", "[/thinking]"),
    ("◁think▷", "◁/think▷"),
    ("<|think|>", "<|/think|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|start_thinking|>", "<|end_thinking|>"),
    ("<|channel>thought", "<channel|>"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
)
# Around the answer, directly behind the thinking: R1-Zero, Hunyuan, Granite, OpenThinker, Cohere.
WRAPPERS = (
    ("<answer>", "</answer>"),
    ("<response>", "</response>"),
    ("<output>", "</output>"),
    ("<|begin_of_solution|>", "<|end_of_solution|>"),
    ("<|start_response|>", "<|end_response|>"),
)
# What a server that removes special tokens leaves of gpt-oss's channels: "analysis…assistantfinal…"
# https://github.com/oobabooga/textgen/issues/7374
STRIPPED, STRIPPED_END = "analysis", "assistantfinal"
TAG_CHARACTERS = 260  # longer ones are text
LINE_CHARACTERS = 200  # by which a fence is known
UNSETTLED_PIECES = 64  # of text, before its code is followed up


class Kind(Enum):
    """What a tag does."""

    OPEN = auto()
    CLOSE = auto()
    EMPTY = auto()  # <think/>
    WRAP = auto()
    UNWRAP = auto()
    HEADER = auto()  # the beginning of a channel's header (gpt-oss)
    BODY = auto()  # the end of the header
    STOP = auto()  # the end of a message in a channel


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag: its kind, the name that pairs it, its text, and whether it is between backticks."""

    kind: Kind
    name: str
    raw: str
    quoted: bool


_TOKENS: dict[str, tuple[Kind, str]] = {
    **{opening: (Kind.OPEN, opening) for opening, _ in PAIRS},
    **{closing: (Kind.CLOSE, opening) for opening, closing in PAIRS},
    **{opening: (Kind.WRAP, opening) for opening, _ in WRAPPERS},
    **{closing: (Kind.UNWRAP, opening) for opening, closing in WRAPPERS},
    **dict.fromkeys(("<|start|>", "<|channel|>"), (Kind.HEADER, "")),
    **dict.fromkeys(("<|end|>", "<|return|>", "<|call|>"), (Kind.STOP, "")),
    "<|message|>": (Kind.BODY, ""),
    STRIPPED_END: (Kind.CLOSE, STRIPPED),
}
_ANY_NAME = "|".join(sorted(NAMES, key=len, reverse=True))
_ANY_TOKEN = "|".join(map(re.escape, _TOKENS))
_TAG = re.compile(
    rf"<\s{{0,3}}(?P<closes>/?)\s{{0,3}}(?P<name>{_ANY_NAME})"
    rf"(?:\s[^<>]{{0,200}}?)?(?P<empty>/?)>|(?P<token>{_ANY_TOKEN})",
    re.IGNORECASE,
)
_HALF_NAME = re.compile(r"<\s{0,3}/?\s{0,3}([a-z:_]*)")
_HALF_TAG = re.compile(rf"<\s{{0,3}}/?\s{{0,3}}(?:{_ANY_NAME})(?:\s[^<>]{{0,200}})?/?")
_FENCE = re.compile(r"[\s>]*(?:(?:[-*+]|\d+[.)])\s+)?(`{3,}|~{3,})(.*)")
_QUOTES = re.compile("`+")
_FIRST = re.compile("[<[◁]")
_FIRST_STRIPPED = re.compile("[<[◁a]")


class Tags:
    """Cuts text into tags and what is between them; a possible part of a tag is held back."""

    def __init__(self) -> None:
        self.held = ""
        self.before = ""  # some text before `held`
        self._begin = ""  # of the whole text

    @property
    def is_free(self) -> bool:
        """Whether a text without the first character of a tag holds none, nor a part of one."""
        return not self.held and len(self._begin) == len(STRIPPED) and self._begin != STRIPPED

    def cut(self, text: str, last: bool = False) -> Iterator[str | Tag]:
        """Yield what the next text completes; `last`: nothing follows, so nothing is held back."""
        if len(self._begin) < len(STRIPPED):
            self._begin = after_blanks(self._begin + text)[: len(STRIPPED)]
        text, self.held = self.held + text, ""
        first_character = _FIRST_STRIPPED if self._begin == STRIPPED else _FIRST
        at = look = 0
        while first := first_character.search(text, look):
            start = first.start()
            tag = _TAG.match(text, start)
            if tag is None and (last or not _may_become_a_tag(text, start)):
                look = start + 1
                continue
            quoted = self._is_quoted(text, tag, last) if tag else None
            if tag is None or quoted is None:
                self.held = text[start:]
                break
            if start > at:
                yield text[at:start]
            yield _read(tag, quoted)
            at = look = tag.end()
        end = len(text) - len(self.held)
        self.before = text[:end] or self.before
        if end > at:
            yield text[at:end]

    def _is_quoted(self, text: str, tag: re.Match[str], last: bool) -> bool | None:
        """Return whether a tag is between backticks; None if that is not known yet."""
        start, end = tag.span()
        if (text[start - 1] if start else self.before[-1:]) != "`":
            return False
        if end == len(text):
            return False if last else None
        return text[end] == "`"


class Code:
    """Follows whether the end of a text is inside code: a fence, or backticks on its line."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._fence = ""
        self._line = ""  # the beginning of the last line
        self._quotes = 0  # the runs of backticks on it
        self._last = ""  # its last character

    def add(self, text: str) -> None:
        """Add the next text. It is followed up later: most of it is never asked about."""
        self._pieces.append(text)
        if len(self._pieces) > UNSETTLED_PIECES:
            self._settle()

    def is_open(self) -> bool:
        """Return whether what follows is inside code."""
        self._settle()
        return bool(self._fence) or self._quotes % 2 == 1

    def at_line_start(self) -> bool:
        """Return whether what follows begins a line."""
        self._settle()
        return is_blank(self._line)

    def _settle(self) -> None:
        *lines, rest = "".join(self._pieces).split("\n")
        self._pieces.clear()
        for line in lines:
            self._extend(line)
            self._end_line()
        self._extend(rest)

    def _extend(self, text: str) -> None:
        if text:
            joins = self._last == text[0] == "`"
            self._quotes += len(_QUOTES.findall(text)) - joins
            self._line = (self._line + text[:LINE_CHARACTERS])[:LINE_CHARACTERS]
            self._last = text[-1]

    def _end_line(self) -> None:
        if fence := _FENCE.match(self._line):
            mark, behind = fence.groups()
            if not self._fence:
                self._fence = "" if mark[0] == "`" and "`" in behind else mark
            elif mark.startswith(self._fence) and is_blank(behind):
                self._fence = ""
        self._line, self._quotes, self._last = "", 0, ""


def _read(tag: re.Match[str], quoted: bool) -> Tag:
    if token := tag["token"]:
        return Tag(*_TOKENS[token.lower()], token, quoted)
    kind = Kind.CLOSE if tag["closes"] else Kind.EMPTY if tag["empty"] else Kind.OPEN
    return Tag(kind, tag["name"].lower(), tag[0], quoted)


def _may_become_a_tag(text: str, start: int) -> bool:
    if len(text) - start > TAG_CHARACTERS:
        return False
    text = text[start:].lower()
    if any(token.startswith(text) for token in _TOKENS):
        return True
    if half := _HALF_NAME.fullmatch(text):
        return any(name.startswith(half[1]) for name in NAMES)
    return _HALF_TAG.fullmatch(text) is not None
