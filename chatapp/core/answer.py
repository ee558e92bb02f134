"""An answer as an append-only log, and the table of its states.

Rules of this file: everything that decides what a position means, or which state may follow which, stands here.

A position counts the code points of text and reasoning, plus one for each context, sources and terminal event. Every
reader holds a position and is given all that follows it, adjacent text of one kind joined into one event: so a first
response, a second tab, a slow phone and a reader who comes back a day later are one mechanism, and batching needs no
timer. The shape, a list of (kind, length), is what has to be kept beside the two texts to answer any position later.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from chatapp.core.events import Chunk, Context, Done, Error, Logged, Reasoning, Sources

REPLACEMENT = "\ufffd"


class State(StrEnum):
    """Where an answer stands."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETE = "complete"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class Move(StrEnum):
    """What may happen to an answer."""

    START = "start"
    FINISH = "finish"
    STOP = "stop"
    FAIL = "fail"
    LOSE = "lose"


_ENDS = {
    Move.STOP: State.STOPPED,
    Move.FAIL: State.FAILED,
    Move.LOSE: State.INTERRUPTED,
}
MOVES: dict[State, dict[Move, State]] = {
    State.QUEUED: {Move.START: State.RUNNING, **_ENDS},
    State.RUNNING: {Move.FINISH: State.COMPLETE, **_ENDS},
    State.COMPLETE: {},
    State.STOPPED: {},
    State.FAILED: {},
    State.INTERRUPTED: {},
}
LIVE = (State.QUEUED, State.RUNNING)


class IllegalMove(Exception):
    """A move that the table does not know."""


def after(state: State, move: Move) -> State:
    """Say the state that follows; raise IllegalMove where none does."""
    try:
        return MOVES[state][move]
    except KeyError:
        raise IllegalMove(f"{move} in state {state}") from None


@dataclass(frozen=True, slots=True)
class Shape:
    """One run of the log: the kind of event and how many positions it takes."""

    kind: str
    length: int


_KINDS: dict[type[Logged], str] = {
    Context: "context",
    Sources: "sources",
    Reasoning: "reasoning",
    Chunk: "chunk",
    Done: "done",
    Error: "error",
}


class AnswerLog:
    """The log of one answer: append at the end, read from any position."""

    def __init__(self) -> None:
        self._events: list[Logged] = []
        self._ends: list[int] = []
        self._held: dict[type[Chunk] | type[Reasoning], str] = {}

    @property
    def position(self) -> int:
        """The position after the last event."""
        return self._ends[-1] if self._ends else 0

    @property
    def ended(self) -> bool:
        """Whether the terminal event is in."""
        return bool(self._events) and isinstance(self._events[-1], Done | Error)

    def append(self, event: Logged) -> int:
        """Add one event and return the position after it. Text is cleaned; empty text changes nothing."""
        if self.ended:
            raise IllegalMove("append after the end")
        if isinstance(event, Chunk | Reasoning):
            event = type(event)(self._clean(type(event), event.text))
            if not event.text:
                return self.position
        self._events.append(event)
        self._ends.append(self.position + _length(event))
        return self.position

    def read(self, position: int) -> list[tuple[int, Logged]]:
        """Return what follows `position`, as (position after, event), adjacent text of one kind joined."""
        first = bisect_right(self._ends, position)
        joined: list[tuple[int, Logged]] = []
        texts: list[str] = []
        for index in range(first, len(self._events)):
            event = self._events[index]
            if not isinstance(event, Chunk | Reasoning):
                joined.append((self._ends[index], event))
                continue
            skip = max(0, position - (self._ends[index] - len(event.text)))
            texts.append(event.text[skip:])
            following = self._events[index + 1] if index + 1 < len(self._events) else None
            if type(following) is not type(event):
                joined.append((self._ends[index], type(event)("".join(texts))))
                texts = []
        return joined

    def text(self, kind: type[Chunk] | type[Reasoning]) -> str:
        """Return all text of one kind."""
        return "".join(event.text for event in self._events if type(event) is kind)

    def shape(self) -> list[Shape]:
        """Return the runs of the log, as kept beside a stored message."""
        return [Shape(_KINDS[type(event)], _length(event)) for _, event in self.read(0)]

    def _clean(self, kind: type[Chunk] | type[Reasoning], text: str) -> str:
        """Free text of NUL and lone surrogates; a pair that a supplier cut in two is held until its half comes."""
        if text.isascii() and not self._held:
            return text.replace("\0", REPLACEMENT)
        text = self._held.pop(kind, "") + text
        if text and "\ud800" <= text[-1] <= "\udbff":
            self._held[kind], text = text[-1], text[:-1]
        try:
            text.encode()
        except UnicodeEncodeError:
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return text.replace("\0", REPLACEMENT)


def _length(event: Logged) -> int:
    return len(event.text) if isinstance(event, Chunk | Reasoning) else 1


def rebuild(
    shape: Iterable[Shape],
    content: str,
    reasoning: str,
    others: Sequence[Context | Sources | Done | Error],
) -> AnswerLog:
    """Make the log of a stored answer again: the two texts are dealt out along the shape, other events by their kind."""
    log = AnswerLog()
    by_kind = {_KINDS[type(event)]: event for event in others}
    rest = {"chunk": content, "reasoning": reasoning}
    for run in shape:
        if run.kind in rest:
            piece, rest[run.kind] = rest[run.kind][: run.length], rest[run.kind][run.length :]
            log.append(Chunk(piece) if run.kind == "chunk" else Reasoning(piece))
        elif run.kind in by_kind:
            log.append(by_kind.pop(run.kind))
    return log
