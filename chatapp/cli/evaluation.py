"""`eval`: measure retrieval and the built-in model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chatapp.cli.forms import Command
from chatapp.cli.terminal import End, note, out, say

if TYPE_CHECKING:
    from chatapp.knowledge.evaluate import Report

STEPS = {"indexing": "eval.indexing", "asking": "eval.asking", "foreign": "eval.foreign"}


@click.command("eval", cls=Command, help=say("help.eval"))
@click.argument(
    "file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--words-only", is_flag=True, help=say("option.words_only"))
def evaluation(file: Path, words_only: bool) -> None:
    """Measure on questions in SQuAD's format, without touching stored data."""
    # imported here: no other command needs the built-in model
    from chatapp.knowledge.evaluate import evaluate

    try:
        report = evaluate(
            file,
            progress=lambda step, count: note(say(STEPS[step], count=count)),
            with_embedder=not words_only,
        )
    except (KeyError, TypeError, ValueError):
        raise End(say("eval_format", file=file), "eval_format") from None
    out("\n".join(_lines(report)))


def _lines(report: Report) -> Iterator[str]:
    embedder = report.embedder or say("word.none")
    yield say(
        "eval.measured", paragraphs=report.paragraphs, questions=report.questions, embedder=embedder
    )
    recall = "  ".join(f"R@{k} {100 * share:.1f}" for k, share in report.recall.items())
    yield say("eval.recall", recall=recall, mrr=f"{report.mrr:.3f}")
    yield say("eval.latency", p50=f"{report.p50_ms:.1f}", p95=f"{report.p95_ms:.1f}")
    yield say("eval.answered", share=f"{100 * report.answered:.1f}")
    yield say("eval.declined", share=f"{100 * report.declined:.1f}", count=report.foreign)
