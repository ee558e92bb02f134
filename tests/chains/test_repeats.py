"""Text that is said again: what is left out, and what is kept because a model may say it twice."""

import pytest

from chatapp.chains.repeats import Messages, Repeats


def joined(deltas: list[str], message: str = "") -> str:
    """Return the text that deltas add up to, read as the stream's decoder reads them."""
    repeats = Repeats()
    text = message
    if message:
        repeats.note(message)
        repeats.expect(message)
    for delta in deltas:
        new = repeats.fresh(delta) if len(delta) >= repeats.least else delta
        repeats.note(new)
        text += new
    return text + repeats.rest()


@pytest.mark.parametrize(
    "deltas",
    [
        ["One ", "two ", "three.", "One two three."],
        ["One ", "One two ", "One two three.", "One two three."],
        ["One ", "One two ", "One two ", "One two three."],
        ["O", "On", "One", "One ", "One t", "One two three."],
        ["One two ", "One two three."],
        ["One two", " three", "One two three."],
    ],
)
def test_a_summary_and_growing_deltas_are_read_once(deltas: list[str]) -> None:
    assert joined(deltas) == "One two three."


@pytest.mark.parametrize(
    "deltas",
    [
        ["ha", "ha"],
        ["1", "1", "0"],
        ["1", "10", "100"],
        ["\n", "\n\n", "Text"],
        ["Say it again. ", "Say it again. "],
        ["Say ", "it. ", "Say it. ", "No more."],
        ["=====", "=====", "=====", "====="],
        ["The", "Then", "Therefore we go"],
        ["a", "ab", "abc", "abcd", "x", "abcdefgh"],
    ],
)
def test_what_a_model_may_say_twice_is_kept(deltas: list[str]) -> None:
    assert joined(deltas) == "".join(deltas)


def test_a_summary_with_additions_adds_them() -> None:
    assert joined(["One ", "two ", "three", "One two three [1]"]) == "One two three [1]"


def test_growing_deltas_that_stop_growing_lose_nothing() -> None:
    deltas = ["Hello", "Hello wor", "Hello world", " and", " more"]
    assert joined(deltas) == "Hello world and more"


@pytest.mark.parametrize(
    ("deltas", "text"),
    [
        (["One ", "two three."], "One two three."),
        (["One ", "two "], "One two three."),
        (["One ", "two three.", " Four."], "One two three. Four."),
        ([" Four."], "One two three. Four."),
        (["One ", "more thing."], "One two three.One more thing."),
    ],
)
def test_deltas_behind_the_whole_message(deltas: list[str], text: str) -> None:
    assert joined(deltas, "One two three.") == text


def test_a_long_answer_is_not_compared_for_every_delta() -> None:
    repeats = Repeats()
    asked = 0
    for n in range(10_000):
        delta = f"word{n} "
        if len(delta) >= repeats.least:
            asked += 1
            delta = repeats.fresh(delta)
        repeats.note(delta)
    assert asked < 20


def test_what_is_held_comes_before_what_follows() -> None:
    repeats = Repeats()
    repeats.note(repeats.fresh("1"))
    assert repeats.fresh("10") == ""
    assert (repeats.let_go(), repeats.rest()) == ("10", "")


def test_messages_bring_what_is_new() -> None:
    messages = Messages()
    first = {"role": "assistant", "content": "One ", "reasoning": "Hm."}
    assert messages.new(first, False, False) == first
    assert messages.new({**first, "content": "One two"}, False, True) == {"content": "two"}
    assert messages.new({"content": "!", "reasoning": "Hm. So."}, False, True) == {
        "content": "!",
        "reasoning": " So.",
    }
    assert messages.new({"content": "One two!"}, False, True) == {}
    assert messages.text == "One two!"


def test_messages_are_summaries_where_deltas_have_come() -> None:
    message = {"content": "One two", "reasoning": "Hm.", "tool_calls": [{}]}
    assert Messages().new(message, True, True) == {}
    assert Messages().new(message, False, True) == {"content": "One two"}
