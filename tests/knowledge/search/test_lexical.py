"""The lexical index: matches, scores, removal."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chatapp.knowledge.search.bm25 import tokens_of
from tests.support.lexical_index import Index


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    made = Index(f"sqlite:///{tmp_path / 'index.db'}")
    yield made
    made.database.close()


def test_words_match_by_stem_and_chinese_by_bigrams(index: Index) -> None:
    english, chinese = index.add("Employees are travelling to Bonn.", "员工每年享有带薪年假。")
    assert [key for key, _ in index.find("travel", "bonn")] == [english]
    assert [key for key, _ in index.find("年假")] == [chinese]
    assert [key for key, _ in index.find("薪")] == [chinese]
    assert index.find("员假") == []


def test_rare_words_score_higher_and_long_chunks_lower(index: Index) -> None:
    common, rare = index.add("leave leave office", "leave bonn office")
    index.add("leave office one", "leave office two")
    assert [key for key, _ in index.find("leave", "bonn")][0] == rare
    long = index.add("bonn " + "word " * 200)[0]
    scores = dict(index.find("bonn"))
    assert scores[rare] > scores[long] > 0
    assert common not in scores


def test_a_base_sees_neither_chunks_nor_frequencies_of_another(index: Index) -> None:
    (mine,) = index.add("leave in bonn")
    before = index.find("bonn", "leave")
    index.add(*["leave in bonn"] * 50, base=1)
    assert index.find("bonn", "leave") == before == [(mine, before[0][1])]
    assert len(index.find("bonn", bases=(0, 1))) == 51


def test_removed_chunks_leave_rows_frequencies_and_totals(index: Index) -> None:
    keys = index.add("leave in bonn", "leave in ulm", "年假规定")
    assert index.totals()[0] == 3
    before = index.find("leave")
    more = index.add("leave and leave again", "bonn")
    index.remove(*more)
    assert index.find("leave") == before
    index.remove(*keys)
    index.remove(*keys)  # repeating it changes nothing
    assert index.totals() == (0, 0)
    assert index.find("leave") == []


@pytest.mark.parametrize(
    "evil", ['" OR 1', "k1_ulm", "NEAR(ulm)", "*", "ul*", "ulm AND bonn", "'; DROP TABLE lexical"]
)
def test_a_question_is_never_parsed_as_a_query(index: Index, evil: str) -> None:
    index.add("leave in bonn", "office in ulm")
    asked = tokens_of("", "", evil)
    assert {key for key, _ in index.find(*asked)} == {
        n for n, word in ((1, "bonn"), (2, "ulm")) if word in asked
    }
    assert index.find(evil.replace('"', "")) == [], "neither is a token"


def test_long_and_empty_questions_are_searched(index: Index) -> None:
    (key,) = index.add("leave in bonn")
    assert [found for found, _ in index.find(*[f"word{n}" for n in range(300)], "bonn")] == [key]
    assert index.find() == []
    assert index.find("bonn", bases=()) == []
