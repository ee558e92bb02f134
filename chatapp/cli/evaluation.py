"""Measuring how well answers are found."""

from pathlib import Path

import click

from chatapp.cli.forms import Command
from chatapp.cli.terminal import End, note, out, say


@click.command("eval", cls=Command, help=say("help.eval"))
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--words-only", is_flag=True, help=say("option.words_only"))
def evaluation(file: Path, words_only: bool) -> None:
    """Measure how well answers are found, on questions in SQuAD's format; what is stored here is not touched."""
    from chatapp.knowledge.evaluate import evaluate  # it needs the built-in model, which no other command does

    try:
        report = evaluate(file, say=note, with_embedder=not words_only)
    except (KeyError, TypeError, ValueError):
        raise End(say("eval_format", file=file), "eval_format") from None
    out("\n".join(report.lines()))
