"""The greenlet that writes an answer: runs the chain, appends its pieces, commits the end."""

import logging
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import gevent

from chatapp.chains.build import Chain, Finished, Retrieved, pieces
from chatapp.chat import answers
from chatapp.chat.runs.live import Live
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
    WasThinking,
)
from chatapp.core.prompt import Ask, cited, source_json
from chatapp.errors import (
    AnswerTooLong,
    ChatAppError,
    Internal,
    Interrupted,
    UpstreamEmpty,
    UpstreamRefused,
    UpstreamTimeout,
)
from chatapp.settings import Settings

log = logging.getLogger("chatapp.runs")

SWITCH_SECONDS = 0.003  # yield at least this often while a supplier sends without pause
SAVE_SECONDS = 10


class Stopped(BaseException):
    """Thrown into a writer by a stop request."""


class Lost(BaseException):
    """Thrown into a writer whose run was deleted or reaped; `save_ending` returns which."""


class ShutDown(BaseException):
    """Thrown into a writer when this process ends."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a run needs; `build` runs in its greenlet, `supplier` is named in errors.

    `has_tools`: the request offers tools, so that the model may call one instead of answering.
    `is_built_in`: the built-in model, which has nothing to add to its own whole answer.
    """

    context: Context
    user_id: str
    ask: Ask
    build: Callable[[], Chain]
    supplier: str = ""
    note: str = ""  # for log lines
    has_tools: bool = False
    is_built_in: bool = False


@dataclass(eq=False)
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

    def start(self) -> None:
        """Append the context, readable at once, and start the greenlet."""
        self.log.append(self.job.context)
        self._greenlet = gevent.spawn(self._run)

    def interrupt(self, reason: type[BaseException]) -> None:
        """Throw a reason into the writer, once: a second one would interrupt the commit."""
        if self.ending or self._asked_to_end is not None:
            return
        self._asked_to_end = reason
        if self._greenlet is not None and self._begun:
            self._greenlet.kill(reason, block=False)

    def join(self, seconds: float) -> None:
        """Wait until it has ended."""
        if self._greenlet is not None:
            self._greenlet.join(seconds)

    def _run(self) -> None:
        self._begun = True
        names = f"session={self.job.context.session_id} message={self.job.context.message_id}"
        log.info("answer starts %s %s", names, self.job.note)
        move, end = self._write(names)
        self.ending = True
        try:
            end = self._announce(move, end)
        finally:
            self.forget()
        log.info(
            "answer ends %s %s state=%s code=%s pieces=%d ms=%d",
            names, self.job.note, after(State.RUNNING, move),
            end.code if isinstance(end, Error) else "-",
            self.log.position, self._timings["total_ms"],
        )  # fmt: skip

    def _write(self, names: str) -> tuple[Move, Done | Error]:
        seconds = self.settings.answer_seconds
        try:
            if self._asked_to_end is not None:
                raise self._asked_to_end
            with gevent.Timeout(
                seconds, UpstreamTimeout(supplier=self.job.supplier, seconds=seconds)
            ):
                return Move.FINISH, self._append_all()
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

    def _append_all(self) -> Done:
        """Append what the chain yields; return how it ended."""
        size, finish = 0, Finished(None)
        loop = gevent.get_hub().loop
        turn, since = loop.now(), time.monotonic()
        if self.job.ask.partial:
            self.log.append(Chunk(self.job.ask.partial))
        begin = self.log.position
        with closing(pieces(self.job.build().stream(self.job.ask))) as stream:
            for piece in stream:
                if isinstance(piece, (Chunk, Reasoning)):  # a tuple is faster here, for each token
                    if not size:
                        self._mark("ttft_ms")
                    size = self._append_text(piece, size)
                elif isinstance(piece, WasThinking):
                    self.log.append(WasThinking(begin))
                elif isinstance(piece, Finished):
                    finish = piece
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
        if not is_blank(said[len(partial) :]):
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
            self._mark("retrieval_ms")
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

    def _announce(self, move: Move, end: Done | Error) -> Done | Error:
        """Commit the final state, then append the terminal event and return it."""
        self._mark("total_ms")
        if isinstance(end, Done):
            citations = cited(self.log.text(Chunk), len(self.log.sources()))
            unread = tuple(self._cut.get("unread", ()))
            end = Done(end.finish_reason, end.usage, dict(self._timings), citations, unread)
        state = after(State.RUNNING, move)
        name = self.job.context.message_id
        ending = answers.Ending(name, self.log, state, end, self._cut, self._search)
        if (fault := self.save_ending(ending)) is not None:
            end = answers.error_event(fault)
        self.log.append(end)
        self.ring()
        return end

    def _mark(self, name: str) -> None:
        """Record once how many ms after the start something happened."""
        self._timings.setdefault(name, round((time.monotonic() - self._started) * 1000))
