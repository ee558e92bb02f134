"""The simulation of a web worker: costs that were put in come out, and a full core makes wait."""

import pytest

from bench.simulation import Costs, Load, Measured, calibrated, most_answers, simulate

COSTS = Costs(0.006, 0.00006, 0.00002, 0.003, 0.002, 0.00001)
SHORT, LONG, FULL = Load(100, 5, 20), Load(50, 200, 20), Load(40, 1000, 500)


def measured(load: Load) -> Measured:
    found = simulate(COSTS, load)
    return Measured(load, found.web, found.database, found.seconds)


def test_costs_are_found_again_in_what_they_cause() -> None:
    found = calibrated(measured(SHORT), measured(LONG), measured(FULL))
    assert found.question == pytest.approx(COSTS.question, rel=0.05)
    assert found.turn + found.token == pytest.approx(COSTS.turn + COSTS.token, rel=0.05)
    assert found.token == pytest.approx(COSTS.token, rel=0.2)
    assert found.database_question == pytest.approx(COSTS.database_question, rel=0.05)
    assert found.database_flush == pytest.approx(COSTS.database_flush, rel=0.05)
    assert found.database_token == pytest.approx(COSTS.database_token, rel=0.05)


def test_a_quiet_core_delays_nothing_and_a_full_one_reads_several_tokens_at_once() -> None:
    quiet = simulate(COSTS, Load(1, 100, 20))
    assert quiet.seconds == pytest.approx(99 / 20, rel=0.01)
    assert quiet.first_p99 == pytest.approx(0.006, abs=0.001)
    full = simulate(COSTS, Load(1000, 100, 20))
    apart = 1000 * (COSTS.question + 100 * (COSTS.turn + COSTS.token))
    assert full.web < 0.8 * apart
    assert full.seconds > 6 and full.first_p99 > 5


def test_a_worker_writes_fewer_answers_at_a_time_if_each_costs_more() -> None:
    cheap = most_answers(COSTS, 100, 20, 0.5)
    dear = most_answers(Costs(0.03, 0.0003, 0.0001), 100, 20, 0.5)
    assert 20 < 2 * dear < cheap
