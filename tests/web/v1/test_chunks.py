"""An answer's log as the chunks of a completion."""

import json
from typing import Any

from chatapp.chat.runs.live import Live
from chatapp.core.answer import AnswerLog
from chatapp.core.events import Chunk, Context, Done, Error, Ping, Read, Reasoning, WasThinking
from chatapp.web.v1.chunks import END, PING, Chunks
from chatapp.web.v1.message import Finished

CONTEXT = Context("Handbook", "s", "m", "q")


def chunks(with_usage: bool = False) -> Chunks:
    return Chunks(
        {"id": "chatcmpl-m", "model": "a/b"},
        lambda done: Finished(done.finish_reason, {"total_tokens": 3}, []),
        lambda error: {"error": {"code": error.code}},
        with_usage,
    )


def said(blocks: list[bytes]) -> list[Any]:
    return [json.loads(block[6:]) for block in blocks if block.startswith(b"data: {")]


def texts(blocks: list[bytes], field: str) -> str:
    choices = [choice for chunk in said(blocks) for choice in chunk.get("choices", ())]
    return "".join(choice["delta"].get(field) or "" for choice in choices)


def test_text_that_ends_lines_stays_on_one() -> None:
    odd = 'a\n\r\u2028\u2029\x85"\\é\ud800'
    [block] = [each for each in chunks().of([(len(odd), Chunk(odd))]) if b"u2028" in each]
    assert block.count(b"\n") == 2 and block.endswith(b"\n\n")
    assert json.loads(block[6:])["choices"][0]["delta"]["content"] == odd.replace("\ud800", "?")


def test_silence_is_a_comment_and_the_end_is_done() -> None:
    events: list[tuple[int, Read]] = [(0, Ping()), (2, Chunk("a")), (3, Done("length"))]
    blocks = list(chunks(with_usage=True).of(events))
    assert PING in blocks and blocks[-1] == END
    assert said(blocks)[-2]["choices"][0]["finish_reason"] == "length"
    assert said(blocks)[-1]["usage"] == {"total_tokens": 3} and not said(blocks)[-1]["choices"]


def test_an_error_ends_the_stream_without_done() -> None:
    failed = Error("upstream_error", "error.upstream_error", {}, True)
    blocks = list(chunks().of([(2, Chunk("a")), (3, failed)]))
    assert said(blocks)[-1] == {"error": {"code": "upstream_error"}} and END not in blocks


def test_what_turns_out_as_thinking_is_not_sent_twice() -> None:
    """A reader in the middle is told to begin again; a client of /v1 cannot."""
    log = AnswerLog()
    log.append(CONTEXT)
    log.append(Chunk("Let me think."))
    live = Live(log)
    tail = live.tail()
    blocks = chunks().of(tail)
    seen = [next(blocks), next(blocks)]
    for event in (WasThinking(), Reasoning(" More."), Chunk("Answer."), Done("stop")):
        log.append(event)
    live.ring()
    seen += list(blocks)
    assert texts(seen, "content") == "Let me think.Answer."
    assert texts(seen, "reasoning_content") == " More."
