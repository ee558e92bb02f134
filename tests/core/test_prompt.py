"""The model's input, and what is cut to fit."""

from chatapp.core.prompt import (
    Ask,
    Passage,
    Turn,
    build_prompt,
    cited,
    estimate_tokens,
    fits,
    select_passages,
)


def passage(text: str, n: int = 1) -> Passage:
    return Passage(n, "kb", f"f{n}", "md5", f"file{n}.pdf", 3, "Leave", 0, len(text), text, 0.9)


def test_tokens_are_estimated_for_both_scripts() -> None:
    assert estimate_tokens("") == 0
    assert estimate_tokens("年假") == 2
    assert estimate_tokens("four words of text") == 5


def test_passages_are_numbered_in_front_of_the_question_and_named() -> None:
    prompt = build_prompt(Ask("How long?"), [passage("Ten days."), passage("Or more.", 2)])
    last = prompt.turns[-1].content
    assert (
        last
        == "[1] file1.pdf, p. 3 — Leave\nTen days.\n\n[2] file2.pdf, p. 3 — Leave\nOr more.\n\n"
        "How long?"
    )
    assert "Never invent a number" in prompt.turns[0].content
    assert prompt.grounded


def test_a_chat_without_documents_has_no_rules_about_them() -> None:
    prompt = build_prompt(Ask("Hi", system_prompt="Be brief."), None)
    assert [turn.content for turn in prompt.turns] == ["Be brief.", "Hi"]
    assert not prompt.grounded


def test_documents_only_forbids_everything_else() -> None:
    rules = build_prompt(Ask("Hi", documents_only=True), [passage("x")]).turns[0].content
    assert "nothing but these passages" in rules
    assert "general knowledge" not in rules


def test_history_is_cut_to_its_length_and_to_the_context_and_begins_with_a_question() -> None:
    history = [Turn("user" if n % 2 == 0 else "assistant", f"turn {n}") for n in range(10)]
    kept = build_prompt(Ask("now", history, max_length=3), None)
    assert [turn.content for turn in kept.turns[1:-1]] == ["turn 8", "turn 9"]
    assert kept.cut == {"history": 8}
    small = build_prompt(
        Ask("now", [Turn("user", "长" * 900), Turn("assistant", "ok")], context_tokens=1100), None
    )
    assert [turn.content for turn in small.turns[1:-1]] == []


def test_history_can_be_switched_off() -> None:
    assert len(build_prompt(Ask("now", [Turn("user", "before")], max_length=0), None).turns) == 2


def test_passages_that_do_not_fit_are_cut_but_never_the_best() -> None:
    ask = Ask("q", context_tokens=2000)
    assert len(select_passages(ask, [passage("字" * 500, n) for n in range(5)])) == 1
    assert len(select_passages(ask, [passage("字" * 5000)])) == 1


def test_a_partial_answer_is_continued() -> None:
    turns = build_prompt(Ask("q", partial="So far"), None).turns
    assert [turn.role for turn in turns] == ["system", "user", "assistant", "user"]
    assert turns[2].content == "So far"


def test_a_question_that_leaves_no_room_does_not_fit() -> None:
    assert fits(Ask("short"))
    assert not fits(Ask("长" * 9000))


def test_only_valid_citations_count() -> None:
    assert cited("A [2]. B [1][2], not [9], not [0], not a link [3](http://x).", 3) == (2, 1)
    assert cited("`none`", 0) == ()
