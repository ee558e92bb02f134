"""The greenlet that writes an answer: runs the chain, appends its pieces, commits the end."""

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

import gevent

from chatapp.chains.build import Chain, Finished, Retrieved, pieces
from chatapp.chains.upstream_errors import (
    UpstreamEmpty,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
)
from chatapp.chat import answers
from chatapp.chat.runs.live import Live
from chatapp.chat.usage import Used, estimated_tokens, reported_tokens
from chatapp.core.answer import Move, State, after
from chatapp.core.blank import is_blank
from chatapp.core.events import (
    Chunk,
    Context,
    Done,
    Error,
    Reasoning,
    Sources,
    Status,
    ToolCall,
    WasThinking,
)
from chatapp.core.prompt import Ask, cited, source_json
from chatapp.errors import AnswerTooLong, ChatAppError, Internal, Interrupted
from chatapp.metrics import figures
from chatapp.settings import Settings

log = logging.getLogger("chatapp.runs")

SWITCH_SECONDS = 0.003  # yield at least this often while a supplier sends without pause
SAVE_SECONDS = 10
UPSTREAM = UpstreamError.code.partition("_")[0]  # the codes of suppliers' errors begin with it
TTFT, RETRIEVAL, TOTAL = "ttft_ms", "retrieval_ms", "total_ms"
_MEASURED = {
    TTFT: figures.FIRST_TOKEN,
    RETRIEVAL: figures.RETRIEVAL,
    TOTAL: figures.ANSWER_SECONDS,
}


class Stopped(BaseException):
    """Thrown into a writer by a stop request."""


class Lost(BaseException):
    """Thrown into a writer whose run was deleted or reaped; `save_ending` returns which."""


class ShutDown(BaseException):
    """Thrown into a writer when this process ends."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a run needs; `build` runs in its greenlet, `supplier` is named in errors.

    `supplier_name` and `model` are those to which its use is counted.
    `has_tools`: the request offers tools, so that the model may call one instead of answering.
    `is_built_in`: the built-in model, which has nothing to add to its own whole answer.
    """

    context: Context
    user_id: str
    ask: Ask
    build: Callable[[], Chain]
    supplier: str = ""
    note: str = ""  # for log lines
    supplier_name: str = ""
    model: str = ""
    has_tools: bool = False
    is_built_in: bool = False


@dataclass(eq=False, repr=False)  # gevent logs the repr of what fails, here with the question
class Writer(Live):
    """An answer that this worker writes."""

    job: Job = field(kw_only=True)
    save_ending: Callable[[answers.Ending], ChatAppError | None] = field(kw_only=True)
    forget: Callable[[], object] = field(kw_only=True)  # called when it has ended
    settings: Settings = field(kw_only=True)
    flushed: int = 0
    ending: bool = False
    _greenlet: gevent.Greenlet | None = None
    _begun: bool = False
    _asked_to_end: type[BaseException] | None = None
    _started: float = field(default_factory=time.monotonic)
    _timings: dict[str, int] = field(default_factory=dict)
    _cut: dict[str, Any] = field(default_factory=dict)
    _search: dict[str, Any] | None = None
    _usage: Mapping[str, Any] = field(default_factory=dict[str, Any])  # as the supplier reports it
    _paused_at: tuple[int, float] = 0, 0.0  # a position, and when (monotonic) it was first seen
    _longest_pause: float = 0.0

    def start(self) -> None:
        """Append the context, readable at once, and start the greenlet."""
        self.log.append(self.job.context)
        # Log lines name the request; greenlets begin without its context.
        self._greenlet = gevent.spawn(copy_context().run, self._run)

    def interrupt(self, reason: type[BaseException]) -> None:
        """Throw a reason into the writer, once, unless its answer ends by itself before that."""
        if self.ending or self._asked_to_end is not None:
            return
        self._asked_to_end = reason
        if self._begun:
            gevent.get_hub().loop.run_callback(self._throw, reason)

    def rewind(self) -> answers.Increment:
        """Return the whole log, to be stored after a reap; readers that return get `reset`."""
        if not self.log.ended and self.log.revised != self.log.position:
            self.log.append(WasThinking(self.log.position))
            self.ring()
        return self.since(0)

    def since(self, position: int) -> answers.Increment:
        """Return what the log has gained since a position."""
        events = [event for _, event in self.log.read(position)]
        return answers.Increment(position, self.log.position, events)

    def _throw(self, reason: type[BaseException]) -> None:
        """Throw, from the hub: it may have begun to end since it was asked to."""
        if self._greenlet is not None and not self.ending:
            self._greenlet.throw(reason)

    def note_pause(self, now: float) -> None:
        """Measure the longest pause after the first text; called once a second."""
        if TTFT in self._timings:
            if self._paused_at[0] != self.log.position:
                self._paused_at = self.log.position, now
            self._longest_pause = max(self._longest_pause, now - self._paused_at[1])

    def join(self, seconds: float) -> None:
        """Wait until it has ended."""
        if self._greenlet is not None:
            self._greenlet.join(seconds)

    def _run(self) -> None:
        self._begun = True
        names = f"session={self.job.context.session_id} message={self.job.context.message_id}"
        log.info("answer starts %s %s", names, self.job.note)
        try:
            move, end = self._write(names)
            end = self._announce(move, end)
        finally:
            self._end_readers()
            self.forget()
        self._record(after(State.RUNNING, move), end)
        log.info(
            "answer ends %s %s state=%s code=%s pieces=%d ms=%d",
            names, self.job.note, after(State.RUNNING, move),
            end.code if isinstance(end, Error) else "-",
            self.log.position, self._timings[TOTAL],
        )  # fmt: skip

    def _write(self, names: str) -> tuple[Move, Done | Error]:
        seconds = self.settings.answer_seconds
        late = UpstreamTimeout(supplier=self.job.supplier, seconds=seconds)
        try:
            try:
                if self._asked_to_end is not None:
                    raise self._asked_to_end
                with gevent.Timeout(seconds, late):
                    return Move.FINISH, self._append_all()
            finally:
                self.ending = True  # from here on nothing is thrown into it
        except Stopped:
            return Move.STOP, Done("stopped")
        except Lost:
            return Move.LOSE, answers.error_event(Interrupted())
        except (ShutDown, gevent.GreenletExit):
            return Move.LOSE, answers.error_event(Interrupted("shutdown"))
        except ChatAppError as fault:
            return Move.FAIL, answers.error_event(fault)
        except Exception:
            log.exception("answer failed %s", names)
            return Move.FAIL, answers.error_event(Internal(request_id=self.job.context.message_id))

    @property
    def _given(self) -> str:
        """The beginning of the answer that the model does not write."""
        return self.job.ask.partial or self.job.ask.notice

    def _append_all(self) -> Done:
        """Append what the chain yields; return how it ended."""
        size, finish = 0, Finished(None)
        loop = gevent.get_hub().loop
        turn, since = loop.now(), time.monotonic()
        if self._given:
            self.log.append(Chunk(self._given))
        begin = self.log.position
        with closing(pieces(self.job.build().stream(self.job.ask))) as stream:
            for piece in stream:
                if isinstance(piece, (Chunk, Reasoning)):  # a tuple is faster here, for each token
                    if not size:
                        self._mark(TTFT)
                    size = self._append_text(piece, size)
                elif isinstance(piece, WasThinking):
                    self.log.append(WasThinking(begin))
                elif isinstance(piece, Finished):
                    finish = piece
                    self._usage = piece.usage
                elif isinstance(piece, ToolCall):
                    self._mark(TTFT)
                    size = self._append_call(piece, size)
                else:
                    self._note(piece)
                self.ring()
                if loop.now() != turn:  # the hub ran while we waited for this piece
                    turn, since = loop.now(), time.monotonic()
                elif time.monotonic() - since > SWITCH_SECONDS:
                    gevent.sleep(0)
        self._check_said(finish)
        return Done(finish.finish_reason or "stop", finish.usage)

    def _check_said(self, finish: Finished) -> None:
        """Raise UpstreamEmpty or UpstreamRefused for an answer in which nothing was said."""
        partial, said = self.job.ask.partial, self.log.text(Chunk)
        if not is_blank(said[len(self._given) :]):
            return
        if (finish.called and self.job.has_tools) or (partial and self.job.is_built_in):
            return
        reason, supplier = finish.finish_reason, self.job.supplier
        if reason == "content_filter":
            raise UpstreamRefused("content", supplier=supplier)
        thought = not is_blank(self.log.text(Reasoning))
        detail = "thinking" if thought else "tool" if finish.called else None
        if reason == "length":
            detail = "thinking_length" if thought else "length"
        raise UpstreamEmpty(detail, supplier=supplier)

    def _note(self, piece: Status | Retrieved) -> None:
        if isinstance(piece, Status):
            self.status = piece
            return
        if piece.trace is not None or piece.passages:
            self._mark(RETRIEVAL)
        self._cut = dict(piece.cut)
        self._search = piece.trace.to_json(piece.query) if piece.trace is not None else None
        self.log.append(
            Sources(tuple(source_json(n, passage) for n, passage in enumerate(piece.passages, 1)))
        )

    def _append_text(self, piece: Chunk | Reasoning, size: int) -> int:
        limit, text = self.settings.answer_bytes, piece.text
        self.log.add(type(piece), text if size + len(text) <= limit else text[: limit - size])
        size += len(text)
        if size > limit:
            raise AnswerTooLong(limit=f"{limit // 1024} KB")
        return size

    def _append_call(self, piece: ToolCall, size: int) -> int:
        limit = self.settings.answer_bytes
        size += len(piece.id) + len(piece.name) + len(piece.arguments)
        if size > limit:
            raise AnswerTooLong(limit=f"{limit // 1024} KB")
        self.log.append(piece)
        return size

    def _announce(self, move: Move, end: Done | Error) -> Done | Error:
        """Commit the final state, then append the terminal event and return it."""
        self._mark(TOTAL)
        if isinstance(end, Done):
            citations = cited(self.log.text(Chunk), len(self.log.sources()))
            unread = tuple(self._cut.get("unread", ()))
            end = Done(end.finish_reason, end.usage, dict(self._timings), citations, unread)
        state = after(State.RUNNING, move)
        name = self.job.context.message_id
        used = self._used(state)
        ending = answers.Ending(name, self.log, state, end, self._cut, self._search, used)
        if (fault := self.save_ending(ending)) is not None:
            end = answers.error_event(fault)
        self.log.append(end)
        self.ring()
        return end

    def _end_readers(self) -> None:
        """End the readers of an answer that a fault of ours left without an end."""
        if not self.log.ended:
            self.log.append(answers.error_event(Internal(request_id=self.job.context.message_id)))
            self.ring()

    def _used(self, state: State) -> Used:
        """Return what this answer has used, also of a model that was stopped or failed halfway.

        Nothing if the model was not asked yet, or failed before it said anything.
        """
        job, tokens = self.job, reported_tokens(self._usage)
        if tokens is None:
            asked = self.status is None or self.status.stage == "writing"
            tokens = estimated_tokens(self.log, job.ask) if asked else (0, 0)
            if state is State.FAILED and not tokens[1]:
                tokens = 0, 0
        return Used(job.user_id, job.supplier_name, job.model, *tokens)

    def _record(self, state: State, end: Done | Error) -> None:
        """Record the figures of an answer that has ended."""
        figures.ANSWERS.record(1, state)
        if isinstance(end, Error) and end.code.startswith(UPSTREAM):
            figures.SUPPLIER_ERRORS.record(1, end.code)
        if TTFT in self._timings:
            figures.GAP.record(self._longest_pause)
        for name, figure in _MEASURED.items():
            if name in self._timings:
                figure.record(self._timings[name] / 1000)

    def _mark(self, name: str) -> None:
        """Record once how many ms after the start something happened."""
        self._timings.setdefault(name, round((time.monotonic() - self._started) * 1000))
