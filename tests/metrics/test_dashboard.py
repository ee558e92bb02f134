"""The dashboard and the guide name the figures that exist, and all of them."""

import json
import re
from pathlib import Path
from typing import Any

from chatapp.metrics.figures import FIGURES, Figure

DEPLOYMENT = Path(__file__).parents[2] / "docs" / "deployment"
NAME = re.compile(r"\bchatapp_\w+")
BY = re.compile(r"by \(([^)]*)\)")
OF_PROMETHEUS = {"le", "instance"}


def samples(figure: Figure) -> set[str]:
    if figure.kind == "histogram":
        return {f"{figure.name}_{part}" for part in ("bucket", "sum", "count")}
    return {figure.name}


SAMPLES = {name: figure for figure in FIGURES for name in samples(figure)}


def expressions() -> list[str]:
    board: Any = json.loads((DEPLOYMENT / "grafana.json").read_text("utf-8"))
    panels = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    return [*panels, *(each["query"]["query"] for each in board["templating"]["list"][1:])]


def test_the_dashboard_asks_for_figures_that_exist_by_labels_that_they_have() -> None:
    asked = expressions()
    assert asked
    for expression in asked:
        figures = [SAMPLES[name] for name in NAME.findall(expression)]
        assert len(figures) == 1, expression
        labels = {name.strip() for group in BY.findall(expression) for name in group.split(",")}
        assert labels <= {*figures[0].labels, *OF_PROMETHEUS}, expression


def test_the_dashboard_shows_every_figure() -> None:
    shown = {SAMPLES[name] for expression in expressions() for name in NAME.findall(expression)}
    assert shown == set(FIGURES)


def test_the_guide_lists_every_figure() -> None:
    guide = (DEPLOYMENT / "monitoring.md").read_text("utf-8")
    rows = [line.split("|")[1] for line in guide.splitlines() if line.startswith("| `chatapp_")]
    assert {name for row in rows for name in NAME.findall(row)} == {each.name for each in FIGURES}
    alerts = set(NAME.findall(guide)) - {each.name for each in FIGURES}
    assert alerts <= SAMPLES.keys()
