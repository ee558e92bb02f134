"""Logs read at every position, and every move in every state."""

import itertools

import pytest

from chatapp.core.answer import (
    LIVE,
    MAX_PARTS,
    MOVES,
    AnswerLog,
    IllegalMove,
    Move,
    Shape,
    State,
    after,
    rebuild,
)
from chatapp.core.events import (
    Chunk,
    Context,
    Done,
    Error,
    Reasoning,
    Sources,
    ToolCall,
    WasThinking,
)

CONTEXT = Context("Handbook", "s", "m", "q")
SOURCES = Sources(({"n": 1},))
DONE = Done("stop")
EVENTS = [
    CONTEXT,
    Reasoning("hm "),
    Reasoning("想想"),
    SOURCES,
    Chunk("Hello "),
    Reasoning("…"),
    Chunk("wörld 😀"),
    Chunk("!"),
    DONE,
]
LEGAL = {
    (State.QUEUED, Move.START): State.RUNNING,
    (State.QUEUED, Move.STOP): State.STOPPED,
    (State.QUEUED, Move.FAIL): State.FAILED,
    (State.QUEUED, Move.LOSE): State.INTERRUPTED,
    (State.RUNNING, Move.FINISH): State.COMPLETE,
    (State.RUNNING, Move.STOP): State.STOPPED,
    (State.RUNNING, Move.FAIL): State.FAILED,
    (State.RUNNING, Move.LOSE): State.INTERRUPTED,
}


def full_log() -> AnswerLog:
    log = AnswerLog()
    for event in EVENTS:
        log.append(event)
    return log


def texts(events: list, kind: type) -> str:
    return "".join(event.text for event in events if isinstance(event, kind))


@pytest.mark.parametrize(("state", "move"), list(itertools.product(State, Move)))
def test_each_state_has_its_legal_moves(state: State, move: Move) -> None:
    if (state, move) in LEGAL:
        assert after(state, move) is LEGAL[state, move]
    else:
        with pytest.raises(IllegalMove):
            after(state, move)


def test_only_live_states_can_move() -> None:
    assert {state for state, moves in MOVES.items() if moves} == set(LIVE)


def test_a_position_counts_code_points_and_one_for_everything_else() -> None:
    log = full_log()
    assert log.position == 1 + 3 + 2 + 1 + 6 + 1 + 7 + 1 + 1
    assert log.ended


def test_adjacent_text_of_one_kind_is_joined() -> None:
    kinds = [type(event).__name__ for _, event in full_log().read(0)]
    assert kinds == ["Context", "Reasoning", "Sources", "Chunk", "Reasoning", "Chunk", "Done"]


def test_two_reads_at_any_position_give_everything_once() -> None:
    log = full_log()
    for cut in range(log.position + 1):
        rest = [event for _, event in log.read(cut)]
        for kind in (Chunk, Reasoning):
            whole = log.text(kind)
            assert whole.endswith(texts(rest, kind))
        skipped = log.position - sum(
            len(event.text) if isinstance(event, Chunk | Reasoning) else 1 for event in rest
        )
        assert skipped == cut


def test_a_reader_that_follows_sees_what_was_appended() -> None:
    log, position, seen = AnswerLog(), 0, ""
    for event in EVENTS:
        log.append(event)
        for end, piece in log.read(position):
            position = end
            seen += piece.text if isinstance(piece, Chunk) else ""
    assert seen == log.text(Chunk)
    assert position == log.position


def test_nothing_follows_the_end() -> None:
    with pytest.raises(IllegalMove):
        full_log().append(Chunk("more"))


def test_empty_text_takes_no_position() -> None:
    log = AnswerLog()
    assert log.append(Chunk("")) == 0
    assert log.read(0) == []


@pytest.mark.parametrize(
    ("pieces", "stored"),
    [
        (["a\0b"], "a\ufffdb"),
        (["\ud83d", "\ude00 ok"], "😀 ok"),
        (["x\ud83d", "y"], "x\ufffdy"),
        (["\ude00"], "\ufffd"),
        (["中\ud83d", "\ude00", "文"], "中😀文"),
    ],
)
def test_nul_and_lone_surrogates_are_replaced_and_pairs_kept(
    pieces: list[str], stored: str
) -> None:
    log = AnswerLog()
    for piece in pieces:
        log.append(Chunk(piece))
    assert log.text(Chunk) == stored
    assert log.position == len(stored)


def test_a_stored_answer_reads_like_the_live_one_from_every_position() -> None:
    log = full_log()
    stored = rebuild(log.shape(), log.text(Chunk), log.text(Reasoning), [CONTEXT, SOURCES, DONE])
    for position in range(log.position + 1):
        assert stored.read(position) == log.read(position)


def test_a_stored_answer_with_tool_calls_reads_like_the_live_one() -> None:
    log = AnswerLog()
    calls = [ToolCall(0, "a", "f", "{"), ToolCall(0, arguments="}"), ToolCall(1, "b", "g")]
    for event in (CONTEXT, calls[0], calls[1], Chunk("then"), calls[2], DONE):
        log.append(event)
    assert log.position == 1 + 2 + 4 + 1 + 1
    stored = rebuild(log.shape(), "then", "", [CONTEXT, DONE], log.tool_calls())
    for position in range(log.position + 1):
        assert stored.read(position) == log.read(position)


def test_the_shape_names_the_runs() -> None:
    assert full_log().shape()[:4] == [
        Shape("context", 1),
        Shape("reasoning", 5),
        Shape("sources", 1),
        Shape("chunk", 6),
    ]


def test_a_long_answer_can_be_read_in_parts() -> None:
    log = AnswerLog()
    for event in [
        CONTEXT,
        Reasoning("why " * 10),
        *[Chunk(f"{n} 中😀 ") for n in range(3 * MAX_PARTS)],
        DONE,
    ]:
        log.append(event)
    for most in (1, 7, 64, 100_000):
        position, seen, kinds = 0, "", []
        while not kinds or kinds[-1] is not Done:
            for end, event in log.read(position, most):
                text = event.text if isinstance(event, Chunk | Reasoning) else ""
                assert len(text) <= most
                position, seen = end, seen + text
                kinds.append(type(event))
        assert seen == log.text(Reasoning) + log.text(Chunk)
        assert position == log.position


def test_an_error_ends_a_log_too() -> None:
    log = AnswerLog()
    log.append(Error("internal", "error.internal", {}, True))
    assert log.ended


def revised(*before: Chunk | Reasoning | Sources, since: int = 0) -> AnswerLog:
    log = AnswerLog()
    for event in [CONTEXT, *before, WasThinking(since), Chunk("Forty-two."), DONE]:
        log.append(event)
    return log


def test_text_that_was_thinking_becomes_reasoning_at_the_same_positions() -> None:
    log = revised(Chunk("The "), SOURCES, Chunk("user"), Reasoning(" asks."))
    assert (log.text(Reasoning), log.text(Chunk)) == ("The user asks.", "Forty-two.")
    assert log.position == 1 + 4 + 1 + 4 + 6 + 1 + 10 + 1
    assert log.revised == 17
    assert [event for _, event in log.read(3)][:2] == [Reasoning("e "), SOURCES]


def test_text_before_the_position_stays_text() -> None:
    log = revised(Chunk("So far"), Chunk(" and more"), since=1 + len("So far"))
    assert (log.text(Chunk), log.text(Reasoning)) == ("So farForty-two.", " and more")
    assert [event for _, event in log.read(5)][:2] == [Chunk("ar"), Reasoning(" and more")]


def test_a_log_that_was_saved_in_parts_is_revised_alike() -> None:
    events = [CONTEXT, Chunk("So far"), Chunk(" I think"), WasThinking(7), Chunk("42"), DONE]
    whole = AnswerLog()
    for event in events:
        whole.append(event)
    for cut in range(whole.position):
        followed = AnswerLog()
        live = AnswerLog()
        for event in events:
            live.append(event)
            if live.position <= cut:
                followed.append(event)
        for _, event in live.read(followed.position):
            followed.append(event)
        assert followed.text(Reasoning) == " I think" and followed.text(Chunk) == "So far42"
        assert followed.position == whole.position


def test_a_stored_answer_keeps_the_place_of_a_revision() -> None:
    live = revised(Chunk("So far"), Chunk(" I think"), since=7)
    stored = rebuild(live.shape(), live.text(Chunk), live.text(Reasoning), [CONTEXT, DONE])
    for position in range(live.position + 1):
        assert stored.read(position) == live.read(position)
    assert stored.revised == live.revised
