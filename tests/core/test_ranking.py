"""Coverage, proximity, order, and the fusion of two rankings."""

import pytest

from chatapp.core.ranking import coverage, fuse, in_order, min_max, proximity


def test_proximity_is_the_weight_within_a_window() -> None:
    weights = {"a": 1.0, "b": 2.0, "c": 1.0}
    assert proximity(weights, [(0, "a"), (3, "b"), (5, "c")], 6) == 1.0
    assert proximity(weights, [(0, "a"), (30, "b"), (33, "c")], 6) == 0.75
    assert proximity(weights, [], 6) == 0.0
    assert proximity({}, [], 6) == 0.0


def test_neighbouring_words_in_order_count() -> None:
    weights = {"paid": 1.0, "leave": 1.0, "days": 2.0}
    asked = ["paid", "leave", "days"]
    assert in_order(weights, asked, [(4, "paid"), (5, "leave"), (6, "days")]) == 1.0
    assert in_order(weights, asked, [(4, "paid"), (6, "leave"), (30, "days")]) == 0.4, (
        "one other word may stand between"
    )
    assert in_order(weights, asked, [(4, "leave"), (5, "paid")]) == 0.0
    assert in_order(weights, ["paid"], [(4, "paid")]) == in_order({}, [], []) == 0.0


def test_fusion_keeps_hits_of_one_ranking() -> None:
    fused = fuse({1: 10.0, 2: 5.0}, {2: 0.9, 3: 0.1}, 0.3)
    assert fused == {1: pytest.approx(0.7), 2: pytest.approx(0.3), 3: 0.0}
    assert min_max({7: 2.0}) == {7: 1.0}
    assert min_max({}) == {}


def test_coverage_is_the_share_of_a_questions_weight() -> None:
    assert coverage({"days": 1.0, "x": 3.0}, ["days", "other"]) == 0.25
    assert coverage({}, ["days"]) == 0.0
