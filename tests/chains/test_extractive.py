"""The built-in model: the sentences it quotes, when it declines, and without documents."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from langchain_core.messages import AIMessageChunk

from chatapp.chains.extractive import WORDS, Extractive, answer
from chatapp.core import fitting
from chatapp.core.prompt import Passage, Prompt, Turn, cited

LEAVE = Passage(
    1, "base", "file", "md5", "leave.pdf", 3, "", 0, 0,
    "Leave is a good thing. Employees get 25 days of paid leave in a year. Trainees get 30 days. "
    "The canteen opens at noon.",
    0.9, "Employees get 25 days of paid leave in a year.",
)  # fmt: skip
TRAVEL = replace(
    LEAVE,
    chunk_id=2,
    name="travel.pdf",
    text="Travel is by train. Second class is paid for.",
    score=0.4,
)
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


def test_words_have_a_higher_threshold_than_cjk_pairs() -> None:
    doubtful = replace(LEAVE, score=(fitting.WORDS + fitting.PAIRS) / 2)
    assert "do not seem" in answer(prompt("Who gets paid leave?", doubtful))
    assert "似乎没有这个问题的答案" not in answer(prompt("谁有 leave？", doubtful))


def test_a_sentence_with_fewer_of_the_words_is_left_out() -> None:
    text = "Employees in Bonn get 25 days of leave. Employees in Ulm get 20 days of leave."
    said = answer(
        prompt("How many days of leave do employees in Ulm get?", replace(LEAVE, text=text))
    )
    assert said == "Employees in Ulm get 20 days of leave. [1]"


def test_chinese_is_answered_in_chinese() -> None:
    assert answer(prompt("员工每年有多少天带薪年假？", CHINESE)).startswith(
        "员工每年享有十五天带薪年假。[1]"
    )


def test_the_same_sentence_in_two_passages_is_quoted_once() -> None:
    said = answer(
        prompt("How many days of paid leave do employees get?", LEAVE, replace(LEAVE, chunk_id=9))
    )
    assert said.count("Employees get 25 days") == 1


def test_a_question_for_a_number_gets_a_sentence_with_one() -> None:
    text = "Employees in Bonn have paid leave.\n\nIn Bonn it is 27 days."
    said = answer(prompt("How many days is leave in Bonn?", replace(LEAVE, text=text)))
    assert said.startswith("In Bonn it is 27 days. [1]")


@pytest.mark.parametrize(
    ("question", "words"),
    [("Who won the match?", "do not seem to answer"), ("谁赢得了比赛？", "似乎没有这个问题的答案")],
)
def test_an_unrelated_question_is_declined_and_the_nearest_passages_shown(
    question: str, words: str
) -> None:
    said = answer(
        prompt(question, replace(LEAVE, score=fitting.PAIRS - 0.01), replace(TRAVEL, score=0.0))
    )
    assert words in said
    assert "> Employees get 25 days of paid leave in a year. [1]" in said
    assert cited(said, 2) == (1, 2)


@pytest.mark.parametrize(
    ("question", "words"), [("Who won?", "I found nothing"), ("谁赢了？", "没有找到")]
)
def test_no_passages_is_reported(question: str, words: str) -> None:
    assert words in answer(prompt(question))


@pytest.mark.parametrize(
    ("question", "words"),
    [("hello", "connect a model"), ("你好", "连接模型"), ("Who won?", "Ask about")],
)
def test_a_short_question_without_passages_gets_advice(question: str, words: str) -> None:
    said = answer(prompt(question))
    key = "nothing" if "?" in question else "small_talk"
    assert words in said and WORDS["zh-CN" if "好" in question else "en"][key] in said


@pytest.mark.parametrize("question", ["Thanks!", "好的，谢谢"])
def test_thanks_quote_nothing(question: str) -> None:
    said = answer(prompt(question, replace(LEAVE, text="Thanks! 好的，谢谢。一块 20 元。")))
    assert "[1]" not in said and ("connect a model" in said or "连接模型" in said)


def test_a_long_question_without_passages_gets_no_advice() -> None:
    for question in (
        "Which team has won the championship of the year 1998?",
        "哪支球队赢得了一九九八年的世界杯冠军？",
    ):
        assert answer(prompt(question)) in (WORDS["en"]["nothing"], WORDS["zh-CN"]["nothing"])


@pytest.mark.parametrize(
    ("question", "words"), [("Hello!", "connect a model"), ("你好！", "连接模型")]
)
def test_without_documents_it_says_that_it_only_quotes(question: str, words: str) -> None:
    assert words in answer(prompt(question, grounded=False))


def test_it_streams_a_few_words_at_a_time_then_reason_and_usage() -> None:
    for one in (
        prompt("How many days of leave do employees get?", LEAVE),
        prompt("员工有多少天带薪年假？", CHINESE),
    ):
        *pieces, end = Extractive().stream_text(one)
        assert all(isinstance(piece, str) and len(piece) < 20 for piece in pieces)
        assert "".join(str(piece) for piece in pieces) == answer(one)
        assert len(pieces) > 5
        assert isinstance(end, AIMessageChunk)
        assert end.response_metadata == {"finish_reason": "stop"}
        assert end.usage_metadata is not None and end.usage_metadata["output_tokens"] > 0


def test_nearest_passages_are_separate_quotes() -> None:
    one = prompt("Who won?", replace(LEAVE, score=0.1), replace(TRAVEL, score=0.1))
    assert (
        "".join(str(piece) for piece in list(Extractive().stream_text(one))[:-1]).count("\n\n> ")
        == 2
    )


def test_continuing_gives_the_rest() -> None:
    one = prompt("How many days of leave do employees get?", LEAVE)
    said = answer(one)
    pieces = list(Extractive().stream_text(replace(one, partial=said[:20])))[:-1]
    assert "".join(str(piece) for piece in pieces) == said[20:]


def test_a_quote_is_no_heading_or_list_and_is_cut() -> None:
    text = "## Leave of employees\n\n- leave of employees is long\n\n" + "leave of employees " * 200
    said = answer(prompt("leave of employees", replace(LEAVE, text=text)))
    assert "##" not in said and "- leave" not in said
    assert len(said) < 1600


# --- headings lend, sentences answer


def test_the_sentence_below_a_heading_is_quoted_not_the_heading() -> None:
    text = (
        "### Where is my data stored?\n\nIn the folder beside the program.\n\n"
        "The canteen opens at noon."
    )
    one = replace(LEAVE, heading="Manual › Where is my data stored?", text=text)
    assert answer(prompt("Where is my data stored?", one)).startswith(
        "In the folder beside the program. [1]"
    )
    chinese = replace(
        LEAVE, heading="手册 › 你能做什么？", text="### 你能做什么？\n\n我根据文档回答问题。"
    )
    assert answer(prompt("你能做什么？", chinese)) == "我根据文档回答问题。[1]"


def test_a_heading_of_a_word_document_is_not_quoted_either() -> None:
    one = replace(
        LEAVE,
        heading="Handbook › Annual leave",
        text="Annual leave\n\nIt is 27 days. Ask your lead.",
    )
    assert answer(prompt("annual leave", one)) == "It is 27 days. Ask your lead. [1]"


def test_headings_only_shows_the_nearest_passages() -> None:
    said = answer(
        prompt(
            "annual leave",
            replace(LEAVE, text="## Annual leave", heading="Annual leave", quote="## Annual leave"),
        )
    )
    assert said == WORDS["en"]["nearest"] + "\n\n> Annual leave [1]"


def test_a_question_of_stop_words_is_answered_from_its_section() -> None:
    one = replace(
        LEAVE,
        heading="Manual › What can you do?",
        text="## What can you do?\n\nAnswers are quoted.\n\nLunch is at noon.",
    )
    assert answer(prompt("What can you do?", one)).startswith("Answers are quoted. [1]")


def test_equal_sentences_rank_by_their_passage() -> None:
    good = replace(LEAVE, text="Leave lasts long in Bonn.", score=0.9)
    poor = replace(TRAVEL, text="Leave lasts long in Rome.", score=0.3)
    assert answer(prompt("How long is leave?", poor, good)).startswith(
        "Leave lasts long in Bonn. [2]"
    )


def test_a_further_sentence_adds_new_words() -> None:
    alike = [f"The Ulm office pays {what}." for what in ("rent", "much", "late", "now")]
    text = "\n\n".join([*alike, "Its landlord is the city."])
    said = answer(
        prompt(
            "Who is the landlord of the Ulm office, and what does it pay?",
            replace(LEAVE, text=text),
        )
    )
    assert said.startswith("The Ulm office pays rent. [1]\n\nIts landlord is the city. [1]")


def test_the_sentence_after_the_best_is_preferred() -> None:
    best = replace(
        LEAVE, heading="Leave", text="## Leave\n\nAsk your lead. Wait for a word. Sit down."
    )
    other = replace(LEAVE, chunk_id=9, text="Leave is nice.\n\nLeave is fine.", score=0.8)
    assert answer(prompt("leave", best, other)) == "Ask your lead. Wait for a word. Sit down. [1]"


# --- how it is written


def test_consecutive_sentences_are_one_paragraph_with_one_number() -> None:
    one = replace(LEAVE, text="## Leave\n\nAsk your lead. Wait for a word.", heading="Leave")
    assert answer(prompt("leave", one)) == "Ask your lead. Wait for a word. [1]"
    chinese = replace(
        LEAVE, text="## 年假\n\n先向主管申请，然后等待批准的\n通知。等待答复。", heading="年假"
    )
    assert answer(prompt("年假", chinese)) == "先向主管申请，然后等待批准的通知。等待答复。[1]"


def test_sentences_from_different_places_are_paragraphs_of_their_own() -> None:
    bonn, ulm = (
        replace(LEAVE, chunk_id=n, text=f"Leave in {town} is long.")
        for n, town in ((1, "Bonn"), (2, "Ulm"))
    )
    assert (
        answer(prompt("leave in Bonn and Ulm", bonn, ulm))
        == "Leave in Bonn is long. [1]\n\nLeave in Ulm is long. [2]"
    )


def test_items_of_a_list_stay_a_list() -> None:
    one = replace(
        LEAVE, heading="Kinds of leave", text="Kinds of leave\n\n- annual leave\n- parental leave"
    )
    assert answer(prompt("kinds of leave", one)) == "- annual leave [1]\n- parental leave [1]"
    numbered = replace(one, text="Kinds of leave\n\n1. annual leave\n2. parental leave")
    assert (
        answer(prompt("kinds of leave", numbered)) == "1. annual leave [1]\n2. parental leave [1]"
    )


def test_prose_is_quoted_without_marks() -> None:
    text = "Employees get **25 days** of [paid leave](leave.md)<br> a year[^1]. The canteen opens."
    said = answer(prompt("paid leave of employees", replace(LEAVE, text=text)))
    assert said == "Employees get 25 days of paid leave a year. [1]"


def test_code_is_quoted_as_code() -> None:
    text = "## Calling it with curl\n\n```sh\ncurl -N http://one/\n  -d two\n```"
    said = answer(
        prompt("calling with curl", replace(LEAVE, heading="Calling it with curl", text=text))
    )
    assert said == "```\ncurl -N http://one/\n  -d two\n```\n[1]"


def test_a_number_is_wanted_and_found_in_both_scripts() -> None:
    for question, text in (
        ("请假要提前几天？", "請假須提前告知主管，並說明理由。\n\n請假須提前兩天。"),
        ("請假要提前幾天？", "请假须提前告知主管，并说明理由。\n\n请假须提前两天。"),
    ):
        said = answer(prompt(question, replace(CHINESE, text=text)))
        assert said.startswith(text.rpartition("\n")[2])


def test_a_sentence_is_chosen_by_meaning_where_words_do_not_tell() -> None:
    text = "Breaks are long.\n\nEverybody may rest for twenty days.\n\nThe canteen opens at noon."
    one = replace(LEAVE, text=text, heading="Rules › Leave")
    asked: list[tuple[str, list[str]]] = []

    def similar(question: str, texts: Sequence[str]) -> list[float]:
        asked.append((question, list(texts)))
        return [0.9 if "rest" in each else 0.7 for each in texts]

    question = prompt("holiday entitlement", one)
    said = answer(question, similar)
    assert said.startswith("Everybody may rest for twenty days. [1]")
    assert asked[0][0] == "holiday entitlement" and asked[0][1][0] == "Leave\nBreaks are long."
    streamed = "".join(map(str, list(Extractive(similar).stream_text(question))[:-1]))
    assert streamed.split() == said.split()
    assert answer(question, lambda *_: None) == answer(question), "words decide without it"


def test_few_sentences_are_compared_and_not_whole_tables() -> None:
    one = replace(LEAVE, text="\n\n".join(f"Line {n} says {'x' * 500}." for n in range(200)))
    compared: list[str] = []
    answer(prompt("lines", one), lambda _, texts: compared.extend(texts))
    assert len(compared) == 48 and max(map(len, compared)) <= 300


def test_words_of_the_question_before_count_less() -> None:
    text = "Employees get paid leave of 25 days.\n\nUnused days are carried over until March."
    asked = prompt("And are they carried over?", replace(LEAVE, text=text))
    follow_up = replace(
        asked, query="How much paid leave do employees get?\nAnd are they carried over?"
    )
    assert answer(follow_up).startswith("Unused days are carried over until March.")


def test_code_is_quoted_where_code_is_asked_for() -> None:
    text = (
        "## Reset\n\n```sh\nreset the password now\n```\n\nAn administrator can reset a password."
    )
    one = replace(LEAVE, heading="Reset", text=text)
    assert answer(prompt("reset the password", one)).startswith("An administrator")
    assert answer(prompt("command to reset the password", one)).startswith("```")
