"""Reranking: a model behind an API scores the best passages against the question.

Cohere, Jina, SiliconFlow, vLLM and llama.cpp take `documents` and return `results` with an `index`
and a `relevance_score` each; Text Embeddings Inference takes `texts` and returns a list with a
`score` each. Which of the two a service speaks is learned from its first refusal.

This runs between two transactions, since it calls a service. It never fails a search: without
scores, the order of the search is kept.
"""

import logging
import weakref
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from math import ceil, isfinite
from time import monotonic
from typing import Any, TypeAlias

import orjson
from sqlalchemy.orm import Session

from chatapp.chains.http.connection import Route, Unreachable
from chatapp.chains.http.tls import is_loopback
from chatapp.chains.http.transport import Broken, Exchange, Garbled, Request, Transport
from chatapp.chains.http.waiting import Deadline, Limits
from chatapp.core.text import count_tokens
from chatapp.knowledge.ingest.chunking import text_with_headings
from chatapp.knowledge.search.candidates import Candidates
from chatapp.knowledge.search.places import CHUNKS, visible_rows
from chatapp.settings import OFF, Settings

log = logging.getLogger("chatapp.knowledge")

RERANKED = 30  # candidates; Text Embeddings Inference takes at most 32 at a time
SECONDS = 3.0  # for the whole call
PAUSE_SECONDS = 30.0  # without calls after one has failed
# Together with separators, what the smallest rerankers read: 512 tokens.
QUESTION_TOKENS, PASSAGE_TOKENS = 150, 340
RESPONSE_BYTES = 1024 * 1024  # at most; some services return the passages too
KEPT_CONNECTIONS = 8
OTHER_SHAPE = (400, 422)  # statuses of a service that expects the other names

_Shape: TypeAlias = Callable[[str, str, Sequence[str]], dict[str, Any]]


class _Failed(Exception):
    """No scores; the message says why. `status` is the service's, 0 without one."""

    def __init__(self, why: str, status: int = 0) -> None:
        super().__init__(why)
        self.status = status


class Reranker:
    """Scores passages with a model; `seconds` limit each call."""

    def __init__(self, route: Route, model: str, key: str = "", seconds: float = SECONDS) -> None:
        self._route = route
        self._model = model
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._seconds = seconds
        self._transport = Transport(KEPT_CONNECTIONS)
        weakref.finalize(self, self._transport.close)
        # the one that has worked, or is more common, first
        self._shapes: tuple[_Shape, _Shape] = (_with_documents, _with_texts)
        self._paused_until = 0.0

    @property
    def pauses(self) -> bool:
        """Whether a call has just failed, so that none is made for some seconds."""
        return monotonic() < self._paused_until

    def scores(self, question: str, texts: Mapping[int, str]) -> dict[int, float]:
        """Return the score of every text by its id, or nothing if the service fails.

        Scores compare only with each other: their range depends on the model.
        """
        if len(texts) < 2:
            return {}
        passages = [_cut(text, PASSAGE_TOKENS) for text in texts.values()]
        try:
            found = self._call(_cut(question, QUESTION_TOKENS), passages)
        except _Failed as fault:
            self._paused_until = monotonic() + PAUSE_SECONDS
            log.warning(
                "reranking with %s failed, keeping the order of the search for %d s: %s",
                self._model,
                PAUSE_SECONDS,
                fault,
            )
            return {}
        return dict(zip(texts, found, strict=True))

    def _call(self, question: str, passages: Sequence[str]) -> list[float]:
        deadline = Deadline(Limits(*[self._seconds] * 4))
        usual, other = self._shapes
        try:
            return self._ask(usual(self._model, question, passages), len(passages), deadline)
        except _Failed as fault:
            if fault.status not in OTHER_SHAPE:
                raise
            try:
                found = self._ask(other(self._model, question, passages), len(passages), deadline)
            except _Failed:
                raise fault from None
        self._shapes = (other, usual)
        return found

    def _ask(self, payload: Mapping[str, Any], count: int, deadline: Deadline) -> list[float]:
        try:
            request = Request("POST", "rerank", self._headers, orjson.dumps(payload))
            exchange = self._send(request, deadline)
            try:
                if exchange.status != 200:
                    raise _Failed(f"status {exchange.status}", exchange.status)
                body = exchange.read_all(RESPONSE_BYTES + 1)
            finally:
                exchange.close()
        except TimeoutError as fault:
            raise _Failed(f"no response within {self._seconds:g} s") from fault
        except Unreachable as fault:
            why = "the certificate is not trusted" if fault.certificate else "it is unreachable"
            raise _Failed(why) from fault
        except (Garbled, Broken) as fault:
            raise _Failed("the response is not HTTP or is cut off") from fault
        except TypeError as fault:  # lone surrogates, which JSON allows and UTF-8 does not
            raise _Failed("the texts are not Unicode") from fault
        return _scores_in(body, count)

    def _send(self, request: Request, deadline: Deadline) -> Exchange:
        """Send a request; once more if a kept connection has been closed meanwhile."""
        try:
            return self._transport.send(self._route, request, deadline)
        except Unreachable as fault:
            if fault.final:
                raise
            return self._transport.send(self._route, request, deadline)


def configured_reranker(settings: Settings) -> Reranker | None:
    """Return the configured reranker, None where there is none."""
    if settings.reranker == OFF:
        return None
    url = settings.reranker_url
    proxy = "" if is_loopback(url) else settings.proxy
    route = Route(url, proxy, settings.ca_file)
    return Reranker(route, settings.reranker, settings.reranker_key)


def texts_to_rerank(session: Session, candidates: Candidates) -> dict[int, str]:
    """Return the texts of the best candidates that SQL still holds, best first, as models get
    them."""
    best = list(candidates.values)[:RERANKED]
    rows = visible_rows(session, CHUNKS, best, candidates.scope)
    texts = {row.id: text_with_headings(row.name, row.heading, row.text) for row in rows}
    return {chunk_id: texts[chunk_id] for chunk_id in best if chunk_id in texts}


def _with_documents(model: str, question: str, passages: Sequence[str]) -> dict[str, Any]:
    return {"model": model, "query": question, "documents": passages, "top_n": len(passages)}


def _with_texts(_: str, question: str, passages: Sequence[str]) -> dict[str, Any]:
    return {"query": question, "texts": passages, "truncate": True}


def _cut(text: str, tokens: int) -> str:
    """Return the beginning of a text that has at most so many tokens, by estimate."""
    text = text[: tokens * 4]
    if count_tokens(text) <= tokens:
        return text
    lengths = range(len(text))
    return text[: bisect_right(lengths, tokens, key=lambda n: ceil(count_tokens(text[:n]))) - 1]


def _scores_in(body: bytes, count: int) -> list[float]:
    """Return the scores in the order of the passages; each must have exactly one."""
    if len(body) > RESPONSE_BYTES:
        raise _Failed("the response is too long")
    try:
        response = orjson.loads(body)
    except ValueError as fault:
        raise _Failed("the response is not JSON") from fault
    results = response.get("results") if isinstance(response, dict) else response
    if not isinstance(results, list) or len(results) != count:
        raise _Failed(f"the response does not have {count} results")
    found: dict[int, float] = {}
    for result in results:
        given: Any = result if isinstance(result, dict) else {}
        index, score = given.get("index"), given.get("relevance_score", given.get("score"))
        if type(index) is int and type(score) in (int, float) and isfinite(score):
            found[index] = float(score)
    if found.keys() != set(range(count)):
        raise _Failed("the response does not have one score for each passage")
    return [found[index] for index in range(count)]
