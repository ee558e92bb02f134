"""Thinking inside the text: every notation, cut at every character."""

import random
from collections.abc import Iterable

import pytest

from chatapp.chains.think_tags import ThinkTags
from chatapp.core.events import Chunk, Reasoning, WasThinking

# text, thinking, answer
OPENED = [
    ("<think>abc</think>xyz", "abc", "xyz"),
    (" \n<think>\nabc </think>\n\n xyz", "abc ", "xyz"),
    ("\ufeff\u200b<think>abc</think>\u200bxyz", "abc", "xyz"),
    ("<think>\n\n</think>\n\nxyz", "", "xyz"),
    ("<THINK>abc</Think>xyz", "abc", "xyz"),
    ('<think time="3" lang="en">abc</think >xyz', "abc", "xyz"),
    ("< think >abc</ think>xyz", "abc", "xyz"),
    ("<think/>xyz", "", "xyz"),
    ("<think>a < b </thin k></think>xyz", "a < b </thin k>", "xyz"),
    ("<think><think>a</think></think>b", "a", "b"),
    ("<think>a</think>\n<think> b</think>c", "a b", "c"),
    ("<thinking>A</thinking><thinking> b</thinking>c", "A b", "c"),
    ("<think>the `</think>` tag</think>xyz", "the `</think>` tag", "xyz"),
    ("<think>use `f`</think>xyz", "use `f`", "xyz"),
    ("<think>never closed </thi", "never closed </thi", ""),
    ("<think>never closed </thinking> [/think]", "never closed </thinking> [/think]", ""),
    ("<thinking>abc</thinking>xyz", "abc", "xyz"),
    ("<thought>abc</thought>xyz", "abc", "xyz"),
    ("<reasoning>abc</reasoning>xyz", "abc", "xyz"),
    ("<reason>abc</reason>xyz", "abc", "xyz"),
    ("<seed:think>abc</seed:think>xyz", "abc", "xyz"),
    ("<mm:think>abc</mm:think>xyz", "abc", "xyz"),
    ("<longcat_think>abc</longcat_think>xyz", "abc", "xyz"),
    ("<antThinking>abc</antThinking>xyz", "abc", "xyz"),
    ("[THINK]abc[/THINK]xyz [1]", "abc", "xyz [1]"),
    ("◁think▷abc◁/think▷xyz", "abc", "xyz"),
    ("<|think|>abc<|/think|>xyz", "abc", "xyz"),
    ("<|channel>thought\nabc<channel|>xyz", "abc", "xyz"),
    ("<|START_THINKING|>abc<|END_THINKING|><|START_RESPONSE|>xyz<|END_RESPONSE|>", "abc", "xyz"),
    (
        "<|begin_of_thought|>\nabc<|end_of_thought|>\n<|begin_of_solution|>\nxyz<|end_of_solution|>",
        "abc",
        "xyz",
    ),
    ("<think>abc</think>\n<answer>\nxyz</answer>", "abc", "xyz"),
    ("<think>abc</think><response>xyz</response>", "abc", "xyz"),
]
CHANNELS = [
    (
        "<|channel|>analysis<|message|>abc<|end|><|start|>assistant<|channel|>final<|message|>xyz",
        "abc",
        "xyz",
    ),
    (
        "<|start|>assistant<|channel|>analysis<|message|>abc<|end|>\n"
        "<|start|>assistant<|channel|>final<|message|>xyz<|return|>",
        "abc",
        "xyz",
    ),
    (
        "<|channel|>analysis<|message|>abc<|channel|>commentary to=f <|constrain|>json<|message|>"
        "{}<|call|><|start|>assistant<|channel|>final<|message|>xyz",
        "abc{}",
        "xyz",
    ),
    ("<|channel|>final<|message|>xyz `<|end|>` <b>", "", "xyz `<|end|>` <b>"),
    ("<|channel|>analysis<|message|>abc", "abc", ""),
    ("<|channel|>analysis<|message|>abc<|end|><|start|>assist", "abc", ""),
    ("abc<|end|><|start|>assistant<|channel|>final<|message|>xyz<|return|>", "abc", "xyz"),
    ("xyz.<|end|>\n", "", "xyz."),
    ("xyz <|end|> is a token", "", "xyz <|end|> is a token"),
    ("Say <|start|> and", "", "Say <|start|> and"),
    (f"Say <|start|> and {'on ' * 60}", "", f"Say <|start|> and {'on ' * 60}"),
    ("analysisWe think.assistantfinalHello.", "analysisWe think.", "Hello."),
    ("An analysis, no assistantfinal.", "", "An analysis, no assistantfinal."),
]
ONLY_CLOSED = [
    ("abc\n</think>\n\nxyz", "abc\n", "xyz"),
    ("abc</thinking>xyz", "abc", "xyz"),
    ("abc</Thought >xyz", "abc", "xyz"),
    ("abc[/THINK]xyz", "abc", "xyz"),
    ("abc◁/think▷xyz", "abc", "xyz"),
    ("abc<|end_of_thought|><|begin_of_solution|>xyz<|end_of_solution|>", "abc", "xyz"),
    ("a `b` and\n```\ncode\n```\nabc</think>xyz", "a `b` and\n```\ncode\n```\nabc", "xyz"),
    ("abc</think>", "abc", ""),
    ("\n</think>\n\nxyz", "", "xyz"),
    ("</think>xyz</think>", "", "xyz</think>"),
    ("abc</think>x</think>y", "abc", "x</think>y"),
]
IN_THE_MIDDLE = [
    ("One.\n\n<think>abc</think>\n\nTwo.", "abc", "One.\n\nTwo."),
    ("<think>a</think>One.\n<think>b</think>Two.\n<think>c", "abc", "One.\nTwo.\n"),
]
TEXT = [
    ("<thinking is hard", "", "<thinking is hard"),
    ("xyz <think>abc</think>", "", "xyz <think>abc</think>"),
    ("  xyz", "", "  xyz"),
    ("<thi", "", "<thi"),
    (" \n\u200b", "", ""),
    ("", "", ""),
    ("a < b, [1], [t] and <b>", "", "a < b, [1], [t] and <b>"),
    ("It ends with `</think>`.", "", "It ends with `</think>`."),
    ("`a </think> b`", "", "`a </think> b`"),
    ("`<think>` opens, </think> closes.", "", "`<think>` opens, </think> closes."),
    ("```\nabc\n</think>\nxyz\n```\nSo.", "", "```\nabc\n</think>\nxyz\n```\nSo."),
    ("1. ~~~html\n   </think>\n   ~~~\nSo.", "", "1. ~~~html\n   </think>\n   ~~~\nSo."),
    ("> ````\n> ```\n> </think>\n> ````", "", "> ````\n> ```\n> </think>\n> ````"),
    ("Use\n```\n<think>\n```", "", "Use\n```\n<think>\n```"),
    ("A prompt:\n<thinking>\nHow?\n</thinking>", "", "A prompt:\n<thinking>\nHow?\n</thinking>"),
    ("<answer>xyz</answer>", "", "<answer>xyz</answer>"),
    ("<think>a</think>x</think>y", "a", "x</think>y"),
    ("<think>a</think>x\n</think>\ny", "a", "x\n\ny"),
    ("<think>a</think>x `</think>` y", "a", "x `</think>` y"),
    ("<think>a</think>x\n```\n</think>\n```", "a", "x\n```\n</think>\n```"),
]
ROWS = OPENED + CHANNELS + ONLY_CLOSED + IN_THE_MIDDLE + TEXT


def split(parts: Iterable[str]) -> tuple[str, str]:
    """Read as the product does and return the thinking and the answer."""
    tags, thought, answer = ThinkTags(), "", ""
    found: list[Chunk | Reasoning | WasThinking] = []
    for part in parts:
        found += [Chunk(part)] if tags.passes(part) else tags.feed(part)
    for piece in found + tags.close():
        match piece:
            case Reasoning(text):
                thought += text
            case Chunk(text):
                answer += text
            case WasThinking():
                thought, answer = thought + answer, ""
    return thought, answer


@pytest.mark.parametrize(("text", "thought", "answer"), ROWS, ids=[row[0][:40] for row in ROWS])
def test_thinking_is_found_at_any_cut(text: str, thought: str, answer: str) -> None:
    assert split([text]) == (thought, answer)
    assert split(list(text)) == (thought, answer)
    for at in range(len(text) + 1):
        assert split([text[:at], text[at:]]) == (thought, answer)


def test_long_texts_are_cut_into_the_same_parts() -> None:
    chosen = random.Random(11)
    for text, _, answer in ROWS:
        words = "lorem ipsum `dolor` sit amet, [2] < 3 and > 1.\n" * 40
        parts, rest = [], text + words if answer else text
        while rest:
            at = chosen.randrange(1, 9)
            parts.append(rest[:at])
            rest = rest[at:]
        assert split(parts) == split([text + words if answer else text])


def test_text_that_was_not_passed_on_yet_is_not_revised() -> None:
    assert ThinkTags().feed("abc</think>xyz") == [Reasoning("abc"), Chunk("xyz")]
    tags = ThinkTags()
    assert tags.feed("ab") == [Chunk("ab")]
    assert tags.feed("c</think>") == [WasThinking(), Reasoning("c")]


def test_an_answer_is_not_held_back() -> None:
    tags = ThinkTags()
    tags.feed("The answer")
    for text in (" is", " 1 < 2", "\n", "`x`", " a<b", " see [1]"):
        assert tags.passes(text) or tags.feed(text) == [Chunk(text)]
