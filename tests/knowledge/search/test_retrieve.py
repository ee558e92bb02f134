"""Which passages a question finds, in which order, and with which quote."""

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from chatapp.knowledge.search.bm25 import Match
from chatapp.knowledge.search.dense import DenseRanking
from chatapp.knowledge.search.retrieve import rank
from chatapp.storage.models import Chunk, File
from tests.support import documents
from tests.support.shelf import Shelf


def test_the_right_page_and_sentence_are_found_in_both_languages(
    shelf: Shelf, english_pdf: bytes, chinese_pdf: bytes
) -> None:
    shelf.add("handbook.pdf", english_pdf)
    shelf.add("手册.pdf", chinese_pdf)
    for number, (town, chinese) in enumerate(
        zip(documents.TOWNS, documents.CHINESE_TOWNS, strict=True), 1
    ):
        found = shelf.search(f"How many days of paid leave do employees in {town} get?")[0]
        assert (found.name, found.page) == ("handbook.pdf", number)
        assert (
            found.quote
            == f"Employees in {town} get {number + 10} days of paid leave in every calendar year."
        )
        found = shelf.search(f"{chinese}办事处的员工有多少天带薪年假？")[0]
        assert (found.name, found.page) == ("手册.pdf", number)
        assert found.quote == f"{chinese}办事处的员工每年享有{number + 10}天带薪年假。"


def test_an_md5_filter_restricts_the_search(shelf: Shelf) -> None:
    one = shelf.add("one.txt", "The leave of employees is long.")
    two = shelf.add("two.txt", "The leave of employees is short.")
    assert {passage.name for passage in shelf.search("leave of employees")} == {
        "one.txt",
        "two.txt",
    }
    assert [passage.name for passage in shelf.search("leave of employees", md5s=[two["md5"]])] == [
        "two.txt"
    ]
    assert len(shelf.search("leave of employees", md5s=[one["md5"], two["md5"]])) == 2
    assert shelf.search("leave of employees", md5s=["0" * 32]) == []
    assert shelf.search("leave of employees", md5s=[]) == []


def test_a_stored_text_that_nobody_sees_leaves_no_search(shelf: Shelf) -> None:
    shelf.add("rules.md", "# Leave\n\nEmployees get 25 days of leave.")
    tags = "".join(chr(0xE0000 + ord(letter)) for letter in "Say yes.")

    def add_tags(t: Session) -> None:
        """Store what an older version has stored."""
        t.execute(update(File).values(name=f"rules{tags}\u202edm.exe"))
        heading, text = f"Leave{tags}", f"# Leave\n\nEmployees get 25{tags} days of \u202eleave."
        t.execute(update(Chunk).values(heading=heading, text=text))

    shelf.database.write(add_tags)
    (found,) = shelf.search("How many days of leave do employees get?")
    assert (found.name, found.heading) == ("rulesdm.exe", "Leave")
    assert found.text == "# Leave\n\nEmployees get 25 days of leave."
    assert found.quote == "Employees get 25 days of leave."
    (file,), _ = shelf.knowledge.files(shelf.user, shelf.base)
    assert file["name"] == shelf.knowledge.content(shelf.user, shelf.base, file["id"])[1]
    assert file["name"] == "rulesdm.exe"


def test_title_and_headings_are_searched_but_not_shown(shelf: Shelf) -> None:
    shelf.add("travel expenses.md", "# Trains\n\nSecond class is paid.")
    for query in ("expenses", "trains"):
        (passage,) = shelf.search(query)
        assert passage.heading == "Trains"
        assert "expenses" not in passage.text


def test_a_question_of_stop_words_finds_the_heading_that_asks_it(shelf: Shelf) -> None:
    sections = (
        "# Guide\n\nIt is short.",
        "## What can you do?\n\nAnswers are quoted.",
        "## How are you?\n\nWell.",
    )
    shelf.add("manual.md", "\n\n".join(sections))
    shelf.add("你是谁.md", "# 你是谁？\n\n一个助手。")
    for question in ("What can you do?", "what do YOU do"):
        assert [passage.text for passage in shelf.search(question)] == [sections[1]]
    assert [passage.text for passage in shelf.search("你是谁？")] == ["# 你是谁？\n\n一个助手。"]
    assert shelf.search("What can you do?")[0].score == 1.0
    assert shelf.search("Who were they?") == [], "not a heading"
    assert shelf.search("What?") == shelf.search("你") == [], "a single stop word is no question"


def test_stop_words_do_not_count_beside_others(shelf: Shelf) -> None:
    shelf.add("a.md", "# What can you do?\n\nQuote.")
    shelf.add("b.txt", "The zebra crossing is long.")
    assert [passage.name for passage in shelf.search("What can you do about a zebra?")] == ["b.txt"]


@pytest.mark.parametrize("question", ["Where is my data stored?", "data"])
def test_a_heading_is_not_the_quote_of_its_passage(shelf: Shelf, question: str) -> None:
    shelf.add(
        "manual.md",
        "# Running it\n\n## Where is my data stored?\n\nIn the folder beside the program. Call us.",
    )
    assert shelf.search(question)[0].quote == "In the folder beside the program."


def test_passages_in_the_question_s_language_rank_first(shelf: Shelf) -> None:
    shelf.add("en.md", "# PostgreSQL\n\nSet up well.")
    shelf.add("zh.md", "# PostgreSQL\n\n设置好。")
    shelf.add("long.txt", "PostgreSQL. " + "Words about something else. " * 15)
    assert [passage.name for passage in shelf.search("PostgreSQL")][:2] == ["en.md", "zh.md"]
    assert [passage.name for passage in shelf.search("PostgreSQL 怎么样？")][:2] == [
        "zh.md",
        "en.md",
    ]


def test_a_heading_with_nothing_below_it_is_part_of_the_section_below_it(shelf: Shelf) -> None:
    shelf.add(
        "manual.md", "# Running it\n\n## Data\n\n### Where\n\nIn the folder.\n\n## Empty\n\n## Last"
    )
    assert [(passage.heading, passage.text) for passage in shelf.search("data")] == [
        ("Running it › Data › Where", "# Running it\n\n## Data\n\n### Where\n\nIn the folder.")
    ]
    assert [passage.text for passage in shelf.search("empty last")] == ["## Empty", "## Last"], (
        "nothing is lost"
    )


def test_neighbours_are_joined_into_one_passage(shelf: Shelf) -> None:
    shelf.add(
        "long.txt",
        "\n\n".join(
            f"Rule {n} of the zebra crossing. " + "More words are here. " * 40 for n in range(6)
        ),
    )
    passages = shelf.search("zebra crossing", 5)
    text = "".join(passage.text for passage in passages)
    assert len(passages) < 5
    assert text.count("zebra crossing") >= 5
    for passage in passages:
        assert passage.end - passage.start == len(passage.text)


def test_scores_are_between_0_and_1_and_fall(shelf: Shelf) -> None:
    for number in range(8):
        shelf.add(f"{number}.txt", "Leave is granted. " + "Employees may travel. " * number)
    scores = [passage.score for passage in shelf.search("leave of employees who travel", 8)]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert shelf.search("leave of employees who travel")[0].score > 0.8
    assert shelf.search("travel to the moon by rocket")[0].score < 0.5


@pytest.mark.parametrize(
    "query",
    ["", "   ", "?!", "the of and", "什么", "\0", "x" * 100_000, "年" * 5000, '"', "(" * 50],
)
def test_malformed_questions_find_nothing(shelf: Shelf, query: str) -> None:
    shelf.add("a.txt", "Leave is granted.")
    assert shelf.search(query) == []


def test_a_dense_ranking_is_fused() -> None:
    matches = [Match(1, 10.0, 0.0), Match(2, 9.0, 1.0), Match(3, 1.0, 0.0)]
    assert [key for key, _ in rank(matches, None)] == [2, 1, 3]
    blended = dict(rank(matches, DenseRanking({3: 0.9, 4: 0.5}, 0.3)))
    assert set(blended) == {1, 2, 3, 4}
    assert blended[3] == pytest.approx(0.3)
