"""The built-in model: which sentences it quotes, when it declines, and what it says without documents."""

from dataclasses import replace

import pytest
from langchain_core.messages import AIMessageChunk

from chatapp.chains.extractive import FITS, FITS_PAIRS, Extractive, answer
from chatapp.core.prompt import Passage, Prompt, Turn, cited

LEAVE = Passage(
    1, "base", "file", "md5", "leave.pdf", 3, "", 0, 0,
    "Leave is a good thing. Employees get 25 days of paid leave in a year. Trainees get 30 days. The canteen opens at noon.",
    0.9, "Employees get 25 days of paid leave in a year.",
)  # fmt: skip
TRAVEL = replace(LEAVE, chunk_id=2, name="travel.pdf", text="Travel is by train. Second class is paid for.", score=0.4)
CHINESE = replace(
    LEAVE,
    chunk_id=3,
    name="年假.pdf",
    text="年假是福利。员工每年享有十五天带薪年假。食堂中午开门。",
    quote="员工每年享有十五天带薪年假。",
)


def prompt(question: str, *passages: Passage, grounded: bool = True) -> Prompt:
    return Prompt(question, [Turn("user", question)], list(passages), grounded=grounded)


def test_the_best_sentence_comes_first_and_every_sentence_is_cited() -> None:
    said = answer(prompt("How many days of paid leave do employees get?", TRAVEL, LEAVE))
    assert said.startswith("Employees get 25 days of paid leave in a year. [2]")
    assert "canteen" not in said
    assert 1 <= said.count("[") <= 3
    assert cited(said, 2)[0] == 2


def test_words_are_held_to_more_than_pairs() -> None:
    doubtful = replace(LEAVE, score=(FITS + FITS_PAIRS) / 2)
    assert "do not seem" in answer(prompt("Who gets paid leave?", doubtful))
    assert "似乎没有" not in answer(prompt("谁有 leave？", doubtful))


def test_what_says_less_about_another_thing_is_left_out() -> None:
    text = "Employees in Bonn get 25 days of leave. Employees in Ulm get 20 days of leave."
    said = answer(prompt("How many days of leave do employees in Ulm get?", replace(LEAVE, text=text)))
    assert said == "Employees in Ulm get 20 days of leave. [1]"


def test_chinese_is_answered_in_chinese() -> None:
    assert answer(prompt("员工每年有多少天带薪年假？", CHINESE)).startswith("员工每年享有十五天带薪年假。[1]")


def test_the_same_sentence_in_two_passages_is_quoted_once() -> None:
    said = answer(prompt("How many days of paid leave do employees get?", LEAVE, replace(LEAVE, chunk_id=9)))
    assert said.count("Employees get 25 days") == 1


def test_where_a_figure_is_asked_for_one_is_given() -> None:
    text = "Employees in Bonn have paid leave. In Bonn it is 27 days."
    said = answer(prompt("How many days is leave in Bonn?", replace(LEAVE, text=text)))
    assert said.startswith("In Bonn it is 27 days. [1]")


@pytest.mark.parametrize(
    ("question", "words"),
    [("Who won the match?", "do not seem to answer"), ("谁赢得了比赛？", "似乎没有回答")],
)
def test_what_does_not_fit_is_declined_and_the_nearest_shown_as_such(question: str, words: str) -> None:
    said = answer(prompt(question, replace(LEAVE, score=FITS_PAIRS - 0.01), replace(TRAVEL, score=0.0)))
    assert words in said
    assert "> Employees get 25 days of paid leave in a year. [1]" in said
    assert cited(said, 2) == (1, 2)


@pytest.mark.parametrize(("question", "words"), [("Who won?", "I found nothing"), ("谁赢了？", "没有找到")])
def test_nothing_found_is_said(question: str, words: str) -> None:
    assert words in answer(prompt(question))


@pytest.mark.parametrize(("question", "words"), [("Hello!", "connect a model"), ("你好！", "连接一个模型")])
def test_without_documents_it_says_what_it_is(question: str, words: str) -> None:
    assert words in answer(prompt(question, grounded=False))


def test_it_streams_a_few_words_at_a_time_and_says_how_it_ended() -> None:
    for one in (prompt("How many days of leave do employees get?", LEAVE), prompt("员工有多少天带薪年假？", CHINESE)):
        *pieces, end = Extractive().stream(one)
        assert all(isinstance(piece, str) and len(piece) < 20 for piece in pieces)
        assert "".join(str(piece) for piece in pieces) == answer(one)
        assert len(pieces) > 5
        assert isinstance(end, AIMessageChunk)
        assert end.response_metadata == {"finish_reason": "stop"}
        assert end.usage_metadata is not None and end.usage_metadata["output_tokens"] > 0
    whole = Extractive().invoke(one)
    assert isinstance(whole, AIMessageChunk) and whole.content == answer(one)


def test_a_nearest_passage_keeps_its_lines_apart() -> None:
    one = prompt("Who won?", replace(LEAVE, score=0.1), replace(TRAVEL, score=0.1))
    assert "".join(str(piece) for piece in list(Extractive().stream(one))[:-1]).count("\n\n> ") == 2


def test_going_on_gives_the_rest() -> None:
    one = prompt("How many days of leave do employees get?", LEAVE)
    said = answer(one)
    turns = [Turn("user", one.question), Turn("assistant", said[:20]), Turn("user", "Go on exactly where the answer broke off.")]
    pieces = list(Extractive().stream(replace(one, turns=turns)))[:-1]
    assert "".join(str(piece) for piece in pieces) == said[20:]


def test_a_quotation_does_not_become_a_heading_or_a_list_and_has_an_end() -> None:
    text = "## Leave of employees\n\n- leave of employees is long\n\n" + "leave of employees " * 200
    said = answer(prompt("leave of employees", replace(LEAVE, text=text)))
    assert "##" not in said and "- leave" not in said
    assert len(said) < 1600
