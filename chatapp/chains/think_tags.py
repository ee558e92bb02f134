"""Thinking inside a model's text, in any notation and cut anywhere.

    <think>…</think>Answer                  DeepSeek R1, Qwen, GLM, MiniMax
    …</think>Answer                         the same, where the template has put the opening tag
                                            into the prompt
    <|channel|>analysis<|message|>…<|end|>  gpt-oss; its answer is in the channel `final`
    [THINK]…[/THINK]Answer                  Mistral; tags.py lists all notations

A tag inside code is text, since an answer may be about tags. A closing tag without an opening one
means that everything before it was thinking. That text has been passed on as the answer's by then;
`WasThinking` revises it. Holding it back instead, for models whose name says that they think, would
delay every answer of a server that removes the thinking itself.
"""

from enum import Enum, auto

from chatapp.chains.tags import Code, Kind, Tag, Tags
from chatapp.core.blank import after_blanks, is_blank
from chatapp.core.events import Chunk, Reasoning, WasThinking

# Words that an answer may use as tags of its own: they open thinking only where it begins.
COMMON_NAMES = frozenset(("thinking", "thought", "thoughts", "reasoning", "reason"))
CHANNELS = "gpt-oss"  # stands for the name of the open tag where channels are used
LONE = "think"  # stands for it where nothing was opened
BLANK_CHARACTERS = 1000  # before an answer; more are dropped
HEADER_CHARACTERS = 120  # of a channel; longer ones are text

Found = Chunk | Reasoning | WasThinking


class _State(Enum):
    START = auto()  # nothing visible so far
    THINKING = auto()
    BEHIND = auto()  # directly behind thinking
    HEADER = auto()  # of a channel
    ANSWER = auto()


class ThinkTags:
    """Separates the thinking from a text that arrives in pieces."""

    def __init__(self) -> None:
        self._tags = Tags()
        self._code = Code()
        self._state = _State.START
        self._out: list[Found] = []
        self._held = ""  # blanks before the first word, or the header of a channel
        self._stop = ""  # held back: the end of a channel's message, which a header may follow
        self._name = ""  # of the tag that was opened last
        self._wrapper = ""  # opened around the answer
        self._mentioned: set[str] = set()  # tags that the answer's text opens
        self._thought = False
        self._given = False  # text was passed on as the answer's
        self._plain = False

    def passes(self, text: str) -> bool:
        """Return whether text is the answer's as it stands, as nearly all text is."""
        if not self._plain or "<" in text or "[" in text or "◁" in text:
            return False
        self._code.add(text)
        self._tags.before = text or self._tags.before
        return True

    def feed(self, text: str) -> list[Found]:
        """Return what the next text holds."""
        return self._read(text, last=False)

    def close(self) -> list[Found]:
        """Return what was held back for a tag that did not come; blanks alone are nothing."""
        found = self._read("", last=True)
        if self._state is _State.HEADER and self._given and self._name != CHANNELS:
            found.append(Chunk(self._held))  # what looked like a channel's header was text
        return found

    def _read(self, text: str, last: bool) -> list[Found]:
        for part in self._tags.cut(text, last):
            if isinstance(part, str):
                self._text(part)
            elif not self._means_something(part):
                self._text(part.raw)
        self._plain = self._state is _State.ANSWER and not self._stop and self._tags.is_free
        out, self._out = self._out, []
        self._given = self._given or any(isinstance(one, Chunk) for one in out)
        return out

    # what text means

    def _text(self, text: str) -> None:
        match self._state:
            case _State.START | _State.BEHIND:
                self._first_text(text)
            case _State.THINKING:
                self._think(text)
            case _State.HEADER:
                self._held += text
                if len(self._held) > HEADER_CHARACTERS:
                    self._answer(self._held)
            case _State.ANSWER if self._stop and is_blank(text):
                self._stop += text
            case _State.ANSWER:
                self._answer(text)

    def _first_text(self, text: str) -> None:
        visible = after_blanks(text)
        if self._state is _State.BEHIND:
            text, self._held = visible, ""
        if visible:
            self._answer(self._held + text)
        else:
            self._held = (self._held + text)[:BLANK_CHARACTERS]

    def _think(self, text: str) -> None:
        if text := text if self._thought else after_blanks(text):
            self._thought = True
            self._out.append(Reasoning(text))

    def _answer(self, text: str) -> None:
        self._state, self._held = _State.ANSWER, ""
        text, self._stop = self._stop + text, ""
        self._code.add(text)
        self._out.append(Chunk(text))

    # what a tag means

    def _means_something(self, tag: Tag) -> bool:
        """Act on a tag; return False where it is text."""
        match self._state:
            case _State.START | _State.BEHIND:
                return not tag.quoted and self._before_text(tag)
            case _State.THINKING:
                return not tag.quoted and self._in_thinking(tag)
            case _State.HEADER:
                return self._in_header(tag)
            case _State.ANSWER:
                if not (tag.quoted or self._code.is_open()):
                    return self._in_answer(tag)
                if tag.kind is Kind.OPEN:
                    self._mentioned.add(tag.name)
                return False

    def _before_text(self, tag: Tag) -> bool:
        behind = self._state is _State.BEHIND
        match tag.kind:
            case Kind.OPEN:
                self._open(tag.name)
            case Kind.HEADER:
                self._open_header(tag)
            case Kind.CLOSE | Kind.EMPTY | Kind.STOP:
                self._go_behind()
            case Kind.WRAP if behind:
                self._wrapper, self._held = tag.name, ""
            case Kind.UNWRAP if behind and tag.name == self._wrapper:
                self._wrapper, self._held = "", ""
            case _:
                return False
        return True

    def _in_thinking(self, tag: Tag) -> bool:
        match tag.kind:
            case Kind.HEADER if self._name == CHANNELS:
                self._open_header(tag)
            case Kind.STOP if self._name == CHANNELS:
                self._go_behind()
            case Kind.CLOSE if tag.name == self._name:
                self._go_behind()
            case Kind.OPEN:  # some servers add an opening tag to the model's own
                return tag.name == self._name and not self._thought
            case _:
                return False
        return True

    def _in_header(self, tag: Tag) -> bool:
        if tag.kind is not Kind.BODY:
            return False
        if "final" not in self._held:
            self._open(CHANNELS)
            return True
        if self._name != CHANNELS:
            self._revise()
        self._name = CHANNELS
        self._go_behind()
        return True

    def _in_answer(self, tag: Tag) -> bool:
        match tag.kind:
            case Kind.OPEN if tag.name not in COMMON_NAMES and self._code.at_line_start():
                self._open(tag.name)
            case Kind.OPEN:
                self._mentioned.add(tag.name)
                return False
            case Kind.CLOSE if tag.name in self._mentioned:
                return False
            case Kind.CLOSE if not self._name:
                self._revise()
                self._go_behind()
            case Kind.CLOSE:  # a second one
                return self._code.at_line_start()
            case Kind.UNWRAP if tag.name == self._wrapper:
                self._wrapper = ""
            case Kind.HEADER:
                self._open_header(tag)
            case Kind.STOP if self._name == CHANNELS:
                self._go_behind()
            case Kind.STOP:
                self._stop += tag.raw
            case _:
                return False
        return True

    def _open(self, name: str) -> None:
        self._state, self._name, self._held = _State.THINKING, name, ""

    def _open_header(self, tag: Tag) -> None:
        self._state, self._held, self._stop = _State.HEADER, tag.raw, ""

    def _go_behind(self) -> None:
        self._state, self._name, self._held = _State.BEHIND, self._name or LONE, ""

    def _revise(self) -> None:
        """Turn everything so far into thinking."""
        self._out = [Reasoning(one.text) if isinstance(one, Chunk) else one for one in self._out]
        if self._given:
            self._out.insert(0, WasThinking())
        self._given, self._thought = False, True
        self._code, self._stop = Code(), ""
        self._mentioned.clear()
