"""An answer as an append-only log, and the table of its states.

All rules about positions and about which state may follow which are in this file.

A position counts the code points of text and reasoning, plus one for each other event. A reader has
a position and gets everything after it, adjacent text of one kind joined into one event. So a first
response, a second tab, a slow client and one that reconnects a day later use one mechanism, and
batching needs no timer. The shape, a list of (kind, length), is stored beside the two texts, so
that a finished answer can be read from any position too.

Text that turns out to have been thinking is revised by an event of its own, `WasThinking`: the runs
before it become reasoning in place, so that no position changes, and a reader that has read them as
text knows from the event that it has to begin again.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from chatapp.core.events import (
    Chunk,
    Context,
    Done,
    Error,
    Json,
    Logged,
    Reasoning,
    Sources,
    Text,
    ToolCall,
    WasThinking,
)

REPLACEMENT = "\ufffd"
MAX_PARTS = 512  # of one text before they are joined


class State(StrEnum):
    """The state of an answer."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETE = "complete"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class Move(StrEnum):
    """An event that changes an answer's state."""

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
    """A move that the table does not allow."""


def after(state: State, move: Move) -> State:
    """Return the next state; raise IllegalMove where there is none."""
    try:
        return MOVES[state][move]
    except KeyError:
        raise IllegalMove(f"{move} in state {state}") from None


@dataclass(frozen=True, slots=True)
class Shape:
    """One run of the log: the kind of event and its length in positions."""

    kind: str
    length: int


_KINDS: dict[type[Logged], str] = {
    Context: "context",
    Sources: "sources",
    Reasoning: "reasoning",
    Chunk: "chunk",
    ToolCall: "tool_call",
    WasThinking: "was_thinking",
    Done: "done",
    Error: "error",
}


class AnswerLog:
    """The log of one answer: append at the end, read from any position."""

    def __init__(self) -> None:
        self.position = 0  # after the last event
        self.ended = False  # set by the terminal event
        self.revised = 0  # the position after the last WasThinking
        self._runs: list[_TextRun | _Event] = []
        self._starts: list[int] = []
        self._held: dict[type[Text], str] = {}

    def append(self, event: Logged) -> int:
        """Add an event and return the position after it. Text is cleaned; empty text ignored."""
        if isinstance(event, Chunk | Reasoning):
            return self.add(type(event), event.text)
        if self.ended:
            raise IllegalMove("append after the end")
        if isinstance(event, WasThinking):
            self._revise(event.since)
            self.revised = self.position + 1
        self._begin(event)
        self.position += 1
        self.ended = isinstance(event, Done | Error)
        return self.position

    def add(self, kind: type[Text], text: str) -> int:
        """Add text of one kind, as `append` does."""
        if self.ended:
            raise IllegalMove("append after the end")
        if not text.isascii() or self._held or "\0" in text:
            text = self._clean(kind, text)
        if text:
            run = self._runs[-1] if self._runs else None
            if not isinstance(run, _TextRun) or run.kind is not kind:
                run = _TextRun(kind)
                self._begin(run)
            self.position += len(text)
            run.add(text, self.position)
        return self.position

    def read(self, position: int, most: int | None = None) -> list[tuple[int, Logged]]:
        """Return the events after `position` as (position after it, event), adjacent text joined.

        With `most`, at most about so many characters of text.
        """
        found: list[tuple[int, Logged]] = []
        if position >= self.position:
            return found
        for index in range(bisect_right(self._starts, position) - 1, len(self._runs)):
            run = self._runs[index]
            if not isinstance(run, _TextRun):
                position = self._starts[index] + 1
                found.append((position, run))
                continue
            text = run.after(position, most)
            position += len(text)
            found.append((position, run.kind(text)))
            if most is not None:
                most -= len(text)
                if most <= 0:
                    break
        return found

    def text(self, kind: type[Text]) -> str:
        """Return all text of one kind."""
        return "".join(
            part
            for run in self._runs
            if isinstance(run, _TextRun) and run.kind is kind
            for part in run.parts
        )

    def sources(self) -> tuple[Json, ...]:
        """Return the passages given to the model; none where none were searched."""
        return next((run.items for run in self._runs if isinstance(run, Sources)), ())

    def tool_calls(self) -> list[ToolCall]:
        """Return the pieces of all calls of tools."""
        return [run for run in self._runs if isinstance(run, ToolCall)]

    def shape(self) -> list[Shape]:
        """Return the runs of the log, as stored with a message."""
        ends = [*self._starts[1:], self.position]
        return [
            Shape(_KINDS[run.kind if isinstance(run, _TextRun) else type(run)], end - start)
            for run, start, end in zip(self._runs, self._starts, ends, strict=False)
        ]

    def _revise(self, since: int) -> None:
        """Turn the text after a position into reasoning."""
        for index in range(len(self._runs) - 1, -1, -1):
            run, start = self._runs[index], self._starts[index]
            if isinstance(run, _TextRun) and run.kind is Chunk and run.end > since:
                if start < since:
                    run = run.split(since, start)
                    self._runs.insert(index + 1, run)
                    self._starts.insert(index + 1, since)
                run.kind = Reasoning
            if start <= since:
                break

    def _begin(self, run: "_TextRun | _Event") -> None:
        self._starts.append(self.position)
        self._runs.append(run)

    def _clean(self, kind: type[Text], text: str) -> str:
        """Remove NUL and lone surrogates; half of a cut surrogate pair waits for the other."""
        text = self._held.pop(kind, "") + text
        if text and "\ud800" <= text[-1] <= "\udbff":
            self._held[kind], text = text[-1], text[:-1]
        try:
            text.encode()
        except UnicodeEncodeError:
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return text.replace("\0", REPLACEMENT)


_Event: TypeAlias = Context | Sources | ToolCall | WasThinking | Done | Error


class _TextRun:
    """Text of one kind in pieces; many pieces are joined to save memory."""

    __slots__ = ("_ends", "kind", "parts")

    def __init__(self, kind: type[Text]) -> None:
        self.kind = kind
        self.parts: list[str] = []
        self._ends: list[int] = []

    @property
    def end(self) -> int:
        """The position after the run."""
        return self._ends[-1]

    def split(self, position: int, start: int) -> "_TextRun":
        """Keep what is before a position, and return the rest as a run of its own."""
        text, behind = "".join(self.parts), _TextRun(self.kind)
        behind.add(text[position - start :], self.end)
        self.parts, self._ends = [text[: position - start]], [position]
        return behind

    def add(self, text: str, end: int) -> None:
        self.parts.append(text)
        self._ends.append(end)
        if len(self.parts) > MAX_PARTS:
            self.parts, self._ends = ["".join(self.parts)], [end]

    def after(self, position: int, most: int | None) -> str:
        """Return the text after a position in this run, at most so many characters."""
        first = bisect_right(self._ends, position)
        start = self._ends[first] - len(self.parts[first])
        text = self.parts[first] if len(self.parts) == first + 1 else "".join(self.parts[first:])
        end = None if most is None else position - start + most
        return text[position - start : end]


def rebuild(
    shape: Iterable[Shape],
    content: str,
    reasoning: str,
    others: Sequence[Context | Sources | Done | Error],
    calls: Sequence[ToolCall] = (),
) -> AnswerLog:
    """Return the log of a stored answer: the texts cut by the shape, other events by kind."""
    log = AnswerLog()
    by_kind = {_KINDS[type(event)]: event for event in others}
    rest, left = {"chunk": content, "reasoning": reasoning}, list(calls)
    said = 0  # the position after the last text
    for run in shape:
        if run.kind in rest:
            piece, rest[run.kind] = rest[run.kind][: run.length], rest[run.kind][run.length :]
            log.append(Chunk(piece) if run.kind == "chunk" else Reasoning(piece))
            said = log.position if run.kind == "chunk" else said
        elif run.kind == "was_thinking":
            log.append(WasThinking(said))
        elif run.kind == "tool_call" and left:
            log.append(left.pop(0))
        elif run.kind in by_kind:
            log.append(by_kind.pop(run.kind))
    return log
