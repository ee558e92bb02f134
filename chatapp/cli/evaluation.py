"""`eval`: measure search and the built-in model on a set of questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chatapp.cli.evaluation_tables import print_report
from chatapp.cli.forms import Command, as_json
from chatapp.cli.terminal import MISUSED, End, note, plain, print_json, say
from chatapp.errors import EmbedderUnavailable
from chatapp.settings import OFF, Settings, SettingsError

if TYPE_CHECKING:
    from chatapp.knowledge.evaluation.outcome import Report

WORDS = "words"  # the value of --against for a search without an embedder
WITHOUT_EMBEDDER = {"CHATAPP_EMBEDDER": OFF}
STEPS = {
    "setting": "eval.step.setting",
    "indexing": "eval.step.indexing",
    "indexing_documents": "eval.step.documents",
    "asking": "eval.step.asking",
    "answering": "eval.step.answering",
    "in_topic": "eval.step.in_topic",
    "foreign": "eval.step.foreign",
}
FAULTS = {
    "format": "eval_format",
    "parallel": "eval_parallel",
    "excerpts": "eval_excerpts",
    "folder": "eval_folder",
}
AN_EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("eval", cls=Command, help=say("help.eval.long"))
@click.argument("path", metavar="PATH", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--questions-of", metavar="FILE", type=AN_EXISTING_FILE, help=say("option.questions_of")
)
@click.option("--against", metavar="SETTING", multiple=True, help=say("option.against"))
@click.option("--words-only", is_flag=True, help=say("option.words_only"))
@click.option("--sample", metavar="N", type=click.IntRange(1), help=say("option.sample"))
@as_json
def evaluation(
    path: Path,
    questions_of: Path | None,
    against: tuple[str, ...],
    words_only: bool,
    sample: int | None,
    as_json: bool,
) -> None:
    """Measure on a set of questions, without touching stored data."""
    # imported here: no other command needs the built-in model
    from chatapp.knowledge.evaluation.evaluate import evaluate
    from chatapp.knowledge.evaluation.questions import InvalidSet

    settings = _settings(WITHOUT_EMBEDDER if words_only else {})
    changed = _changes(against)
    other = _settings(changed) if changed else None
    try:
        report = evaluate(
            path,
            settings,
            other,
            questions_of,
            sample,
            lambda step, count: note(say(STEPS[step], count=f"{count:,}")),
        )
    except InvalidSet as fault:
        key = FAULTS[fault.reason]
        raise End(say(key, file=plain(str(path)), other=plain(str(questions_of))), key) from None
    except EmbedderUnavailable as fault:
        if fault.detail != "embedder_away":
            raise
        model = plain(str(fault.params["model"]))
        raise End(say("eval_embedder_away", model=model), fault.code) from None
    ways = [WITHOUT_EMBEDDER if words_only else {}, *([changed] if changed else [])]
    if as_json:
        print_json(_to_json(report, ways))
    else:
        print_report(report, [_name(way) for way in ways])


def _settings(changes: dict[str, str]) -> Settings:
    try:
        return Settings.from_env(changes=changes)
    except SettingsError as fault:
        raise End(str(fault), "settings") from None


def _changes(against: Sequence[str]) -> dict[str, str]:
    """Return the variables that the other setting changes."""
    changed: dict[str, str] = {}
    known = {setting.metadata["name"] for setting in fields(Settings)}
    for each in against:
        name, equals, value = each.partition("=")
        if each == WORDS:
            changed |= WITHOUT_EMBEDDER
        elif equals and name in known:
            changed[name] = value
        else:
            raise End(say("eval_against", value=plain(each)), "eval_against", MISUSED)
    return changed


def _name(changed: dict[str, str]) -> str:
    """Return how a setting is named in the report."""
    if not changed:
        return say("eval.configured")
    if changed == WITHOUT_EMBEDDER:
        return say("eval.words")
    return ", ".join(f"{name}={plain(value)}" for name, value in _shown(changed).items())


def _shown(changed: dict[str, str]) -> dict[str, str]:
    """Return the variables without keys."""
    secret = {setting.metadata["name"] for setting in fields(Settings) if not setting.repr}
    return {name: "…" if name in secret else value for name, value in changed.items()}


def _to_json(report: Report, ways: Sequence[dict[str, str]]) -> dict[str, Any]:
    """Return the figures, each with the variables that its setting changes."""
    shown = report.to_json()
    for part, changed in zip((shown, shown["against"]), ways, strict=False):
        part["setting"] = _shown(changed)
    return shown
