"""Means of questions and how sure they are."""

import pytest

from chatapp.knowledge.evaluation.estimates import Estimate, differences, estimate

HALF = [0.0, 1.0] * 50


def test_an_interval_surrounds_the_mean_and_is_the_same_each_time() -> None:
    found = estimate({"half": HALF})["half"]
    assert found.value == 0.5
    assert 0.35 < found.low < 0.45 < 0.55 < found.high < 0.65
    assert estimate({"half": HALF})["half"] == found


def test_more_questions_make_a_narrower_interval() -> None:
    few, many = (estimate({"half": HALF * times})["half"] for times in (1, 10))
    assert many.high - many.low < (few.high - few.low) / 2


def test_figures_without_variation_have_none() -> None:
    assert estimate({"all": [1.0] * 9, "none": [0.0] * 9}) == {
        "all": Estimate(1.0, 1.0, 1.0),
        "none": Estimate(0.0, 0.0, 0.0),
    }
    assert estimate({"nothing": []}) == {}


def test_settings_are_compared_question_by_question() -> None:
    """Both halves vary by chance, but the one is better in ten questions and never worse."""
    better = [1.0] * 10 + HALF[10:]
    found = differences({"found": better}, {"found": HALF})["found"]
    assert found.value == pytest.approx(0.05)
    assert 0 < found.low < found.high < 0.12
    assert differences({"found": HALF}, {"found": HALF})["found"] == Estimate(0, 0, 0)
