"""How well a passage answers: by words, by meaning, and between two languages."""

from pathlib import Path

import pytest

from chatapp.core.fitting import least_score
from chatapp.home import model_folder
from chatapp.knowledge.built_in import BUILT_IN, Cosines, QuestionMeans
from chatapp.knowledge.search.vectors import pack, unpack
from chatapp.knowledge.search.worth import by_words, worth

COSINES = Cosines(latin=0.7, chinese=0.8, chinese_on_latin=0.6, latin_on_chinese=0.5)
ENGLISH, CHINESE = "How much leave is there?", "年假有多少天？"
LEAVE, NIANJIA = "Employees get twenty days of leave.", "员工每年有二十天年假。"
TABLE = "4.00 | 3.94 | 3.85 | 3.73 | GPA"


def is_answered(question: str, text: str, words: float, cosine: float | None) -> bool:
    return worth(question, text, words, cosine, COSINES) >= least_score(question)


def test_words_beyond_chance_count() -> None:
    assert by_words(0.2, 0.2) == by_words(0.1, 0.2) == 0
    assert by_words(0.6, 0.2) == pytest.approx(0.5)


def test_without_a_vector_words_decide() -> None:
    assert worth(ENGLISH, LEAVE, 0.4, None, COSINES) == 0.4
    assert worth(ENGLISH, LEAVE, 0.4, 0.9, None) == 0.4


@pytest.mark.parametrize(
    ("question", "text", "least"), [(ENGLISH, LEAVE, 0.7), (CHINESE, NIANJIA, 0.8)]
)
def test_meaning_makes_up_for_words_and_words_for_meaning(
    question: str, text: str, least: float
) -> None:
    enough = least_score(question)
    assert is_answered(question, text, enough, least)
    assert not is_answered(question, text, enough, least - 0.05)
    assert is_answered(question, text, 0.0, least + 0.1)
    assert is_answered(question, text, enough + 0.3, least - 0.05)
    assert not is_answered(question, text, 0.0, least)


@pytest.mark.parametrize(
    ("question", "text", "least"), [(CHINESE, LEAVE, 0.6), (ENGLISH, NIANJIA, 0.5)]
)
def test_between_languages_meaning_alone_decides(question: str, text: str, least: float) -> None:
    assert is_answered(question, text, 0.0, least + 0.001)
    assert not is_answered(question, text, 0.0, least - 0.001)


def test_a_table_of_numbers_is_in_no_other_language() -> None:
    assert not is_answered(CHINESE, TABLE, 0.0, 0.7)
    assert is_answered(CHINESE, TABLE, 0.0, 0.9)


def test_the_worth_is_a_share() -> None:
    assert worth(ENGLISH, LEAVE, 0.9, 0.99, COSINES) == 1
    assert worth(ENGLISH, LEAVE, 0.0, 0.1, COSINES) == 0


def test_half_of_the_mean_question_is_taken_out_by_language(tmp_path: Path) -> None:
    (tmp_path / "questions.bin").write_bytes(pack([1, 0, 0, 0]) + pack([0, 1, 0, 0]))
    means = QuestionMeans(tmp_path)
    vector = pack([1, 1, 1, 1])
    assert unpack(means.without(ENGLISH, vector)) == pytest.approx(unpack(pack([0, 1, 1, 1])))
    assert unpack(means.without(CHINESE, vector)) == pytest.approx(unpack(pack([1, 0, 1, 1])))


@pytest.mark.skipif(model_folder() is None, reason="set-up could not make the embedder")
def test_the_built_in_model_has_its_means() -> None:
    folder = model_folder()
    assert folder is not None and BUILT_IN["multilingual-e5-small"].has_means
    assert len(QuestionMeans(folder).without(ENGLISH, pack([1.0] * 384))) == 4 * 384
