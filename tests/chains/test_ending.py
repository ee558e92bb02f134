"""When an answer has ended: by which words, for how long it is waited, and what a break leaves."""

import pytest

from chatapp.chains import finish_reasons
from chatapp.chains.build import pieces
from chatapp.chains.completions import TAIL_SECONDS
from chatapp.chains.finish_reasons import End
from chatapp.chains.http.transport import Broken
from tests.support.quirks import DONE, USAGE, chunk, ends, says, sse
from tests.support.supplier import Outcome
from tests.support.wire import GivenTransport, answer_of, asked

TAIL = round(TAIL_SECONDS)
FIRST, IDLE = 300, 60
THOUGHT = sse(chunk({"reasoning_content": "Hm."}))
PING = b"data: {}\n\n: ping\n\n"
BREAK, SILENCE = Broken(), TimeoutError()
CUT, LATE = "error.upstream_error.cut", "error.upstream_timeout"


def words(kind: End) -> list[object]:
    return {
        End.KNOWN: [
            "stop", "STOP", " stop ", "length", "content_filter", "tool_calls", "end_turn", "eos",
            "MAX_TOKENS", "FinishReason.MAX_TOKENS", "FINISH_REASON_STOP", "content-filter",
            "content_filter: BLOCKLIST", "model_context_window_exceeded", "sensitive",
        ],
        End.NONE: [
            None, "", " ", "null", "None", "NULL", "undefined", "in_progress", "IN PROGRESS",
            "not_finished", "unfinished", "incomplete", "streaming", "running", "generating",
            "continue", "FINISH_REASON_UNSPECIFIED", "unknown", "false", "0", 0, 1, 1.5, True,
            False, [], ["stop"], {}, {"type": "stop"},
        ],
        End.FAULT: ["error", "ERROR", "network_error", "abort", "insufficient_system_resource"],
        End.UNKNOWN: ["satisfied", "x"],
    }[kind]  # fmt: skip


@pytest.mark.parametrize("kind", End)
def test_only_words_that_name_an_end_are_one(kind: End) -> None:
    assert {repr(word): finish_reasons.end(word) for word in words(kind)} == {
        repr(word): kind for word in words(kind)
    }


# the parts that arrive, and the limits of the waits for each, and for the end of the body
WAITS = {
    "a usual answer": ([says("a"), says("b"), ends(), DONE], [FIRST, IDLE, IDLE, TAIL]),
    "signs of life": ([PING, says("a"), PING, PING], [FIRST, FIRST, IDLE, IDLE, IDLE]),
    "signs of life behind the end": ([says("a"), ends(), PING], [FIRST, IDLE, TAIL, TAIL]),
    "usage behind the end": (
        [says("a"), ends(), sse({"choices": [], "usage": USAGE})],
        [FIRST, IDLE, TAIL, TAIL],
    ),
    "text behind the end": (
        [says("a"), ends(), says("b"), says("c"), ends()],
        [FIRST, IDLE, TAIL, IDLE, IDLE, IDLE],
    ),
    "a reason on every chunk": (
        [says("a", "stop"), says("b", "stop"), says("c", "stop")],
        [FIRST, IDLE, IDLE, IDLE],
    ),
    "a reason before any word": ([ends(), ends(), says("a")], [FIRST, FIRST, FIRST, IDLE]),
    "a reason between thinking and text": (
        [THOUGHT, ends(), says("a"), ends()],
        [FIRST, IDLE, IDLE, IDLE, IDLE],
    ),
    "a word of no table": ([says("a"), ends("x")], [FIRST, IDLE, IDLE]),
}


@pytest.mark.parametrize(("parts", "waits"), WAITS.values(), ids=WAITS)
def test_how_long_the_next_part_is_waited_for(parts: list[bytes], waits: list[int]) -> None:
    transport = GivenTransport(parts)
    Outcome(pieces(asked(transport).parts))
    assert transport.waited[: len(waits)] == waits


# what has come, what ends it, and the error; none where the answer is complete
BREAKS = [
    ([says("a"), ends()], None, ""),
    ([says("a"), ends()], BREAK, ""),
    ([says("a"), ends()], SILENCE, ""),
    ([says("a", "stop")], BREAK, ""),
    ([says("a", "stop")], SILENCE, ""),
    ([says("a", "stop"), says("b", "stop")], None, ""),
    ([says("a", "stop"), says("b", "stop")], BREAK, CUT),
    ([says("a", "stop"), says("b", "stop")], SILENCE, LATE),
    ([says("a"), ends(), says("b")], None, CUT),
    ([says("a"), ends(), says("b")], BREAK, CUT),
    ([says("a"), ends(), says("b")], SILENCE, LATE),
    ([says("a"), ends(), says("b"), ends()], None, ""),
    ([says("a"), ends(), says("b"), ends()], BREAK, CUT),
    ([says("a"), ends(), THOUGHT], None, CUT),
    ([ends(), says("a")], None, CUT),
    ([ends(), says("a"), ends()], None, ""),
    ([ends()], BREAK, CUT),
    ([ends()], SILENCE, LATE),
    ([THOUGHT, ends()], BREAK, CUT),
    ([says("a"), ends("satisfied")], None, ""),
    ([says("a"), ends("satisfied")], BREAK, CUT),
    ([says("a", "null"), says("b", 0), says("c", {"x": 1})], None, CUT),
    ([says("a"), sse(chunk({}, "stop"), "")], BREAK, ""),
    ([says("a"), b"data: [DONE]"], BREAK, ""),
    ([says("a", "stop"), says("b"), DONE], None, ""),
    ([says("a"), sse(chunk({"content": "b"}), "")], BREAK, CUT),
]


@pytest.mark.parametrize(("parts", "end", "error"), BREAKS)
def test_what_ends_an_answer(parts: list[bytes], end: Exception | None, error: str) -> None:
    outcome = Outcome(pieces(answer_of(parts, end).parts))
    assert outcome.key == error
    assert (outcome.finished is None) == bool(error)
    said = b"".join(parts)
    assert outcome.text == "".join(word for word in "abc" if b'"content": "%c"' % ord(word) in said)


def test_the_last_reason_is_kept_where_text_has_followed_it() -> None:
    outcome = Outcome(pieces(answer_of([says("a"), ends("length"), says("b"), DONE]).parts))
    assert outcome.finished is not None and outcome.finished.finish_reason == "length"
