"""`ask`: ask a question, stream the answer, print its sources."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from chatapp.cli.answering import Answer
from chatapp.cli.forms import Command, as_json
from chatapp.cli.knowledge import find_base, list_of, place_of
from chatapp.cli.service import Service
from chatapp.cli.terminal import (
    FAILED,
    INTERRUPTED,
    End,
    columns,
    cut,
    is_watched,
    note,
    out,
    plain,
    print_json,
    say,
)
from chatapp.settings import Settings

LAST = "terminal.json"  # in the home folder: the last session for each service
QUOTE_LINES = 2
LONG_GAP = 3  # attempts to reconnect before a message is printed
STAGES = {
    "reading": "ask.reading",
    "rewriting": "ask.rewriting",
    "searching": "ask.searching",
    "writing": "ask.writing",
    "reasoning": "ask.thinking",
}
CUT = {"length": "ask.cut_length", "content_filter": "ask.cut_filter", "stopped": "ask.stopped"}


@click.command(cls=Command, help=say("help.ask.long"))
@click.argument("question", metavar="QUESTION")
@click.option("--base", "-b", "bases", multiple=True, metavar="NAME", help=say("option.base"))
@click.option("--model", "-m", metavar="SUPPLIER/MODEL", help=say("option.model"))
@click.option("--session", "-s", metavar="ID", help=say("option.session"))
@click.option("--continue", "-c", "go_on", is_flag=True, help=say("option.continue"))
@as_json
def ask(
    question: str,
    bases: tuple[str, ...],
    model: str | None,
    session: str | None,
    go_on: bool,
    as_json: bool,
) -> None:
    """Ask, and print the answer as it streams."""
    settings = Settings.from_env()
    service = Service.from_settings(settings)
    text = sys.stdin.buffer.read().decode("utf-8", "replace") if question == "-" else question
    if not text.strip():
        raise End(say("ask.blank"), "blank")
    if go_on and not session:
        session = _last_session(settings, service)
    body: dict[str, Any] = {"question": text} | ({"session_id": session} if session else {})
    if base_ids := _base_ids(service, bases, session):
        body["knowledge_config"] = {"knowledge_base_id": base_ids}
    if model:
        supplier, slash, name = model.partition("/")
        body["llm_config"] = {"supplier": supplier, "model": name} if slash else {"model": model}
    shown = Printer(quiet=as_json)
    answer = Answer(service, body, shown.gap)
    try:
        for event in answer.events():
            shown.event(event)
            if event["type"] == "context":
                _remember_session(settings, service, str(event["session_id"]))
    except KeyboardInterrupt:
        shown.end_line()
        raise End(
            say("ask.stopped" if answer.stop() else "ask.not_stopped"), "stopped", INTERRUPTED
        ) from None
    except BrokenPipeError:  # the reader closed the pipe, as in “ask … | head”
        answer.stop()
        raise
    finally:
        shown.end_line()
    _end(shown, as_json)


def _base_ids(service: Service, names: tuple[str, ...], session: str | None) -> list[str]:
    """Return the named bases; the session's own if none; without a session all that have files."""
    if names or session:
        return [find_base(service, name)["id"] for name in names]
    return [base["id"] for base in list_of(service) if base["files"] and not base["bundled"]]


class Printer:
    """The answer on the terminal. After a `reset` only text that differs is printed.

    Where what was printed has become thinking, the answer follows it.
    """

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._staged = False
        self._printed = ""
        self._open_line = False
        self._gaps = 0
        self.text = ""
        self._thinking: str | None = None  # since a reset, until text follows
        self.context: dict[str, Any] = {}
        self.sources: list[dict[str, Any]] = []
        self.done: dict[str, Any] = {}
        self.error: dict[str, Any] | None = None

    def event(self, event: dict[str, Any]) -> None:
        """Handle one event of the stream."""
        kind, data = event["type"], event["data"]
        self._gaps = 0
        if kind == "context":
            self.context = event
            self.stage("ask.writing")
        elif kind == "chunk":
            self._add(str(data))
        elif kind == "sources":
            self.sources = data
        elif kind == "reset":
            self.text = self._thinking = ""
        elif kind == "done":
            self.done = data
        elif kind == "error":
            self.error = event
        elif kind in ("status", "reasoning"):
            if kind == "reasoning" and self._thinking is not None:
                self._thinking += str(data)
            self.stage(STAGES.get(data if kind == "status" else kind, ""))

    def stage(self, key: str | None) -> None:
        """Show the stage on a line that is erased later; only on a terminal and before the text."""
        if not key or self._quiet or self._open_line or not sys.stderr.isatty():
            return
        click.echo(f"\r\x1b[K{say(key)}", nl=False, err=True)
        self._staged = True

    def gap(self) -> None:
        """Show that the connection is lost; within the text only after several attempts."""
        self._gaps += 1
        self.stage("ask.gap")
        if self._open_line and self._gaps == LONG_GAP:
            self.end_line()
            note(say("ask.gap"))

    def end_line(self) -> None:
        """Move the cursor to the beginning of a line."""
        self._clear_stage()
        if self._open_line:
            self._open_line = False
            out()

    def _add(self, piece: str) -> None:
        self.text += piece
        if self._quiet:
            return
        if self._printed and self._printed in (self._thinking or ""):
            self.end_line()
            note(say("ask.thought"))
            self._printed = ""
        self._thinking = None
        new = self.text[len(self._printed) :]
        if not self.text.startswith(self._printed):
            if self._printed.startswith(self.text):  # after a reset: printed already
                return
            self.end_line()
            note(say("ask.again"))
            new = self.text
        self._clear_stage()
        self._printed = self.text
        click.echo(plain(new), nl=False)
        self._open_line = not new.endswith("\n")
        sys.stdout.flush()

    def _clear_stage(self) -> None:
        if self._staged:
            self._staged = False
            click.echo("\r\x1b[K", nl=False, err=True)


def _end(shown: Printer, as_json: bool) -> None:
    """Print the sources, or the error, after the text."""
    if as_json:
        result: dict[str, Any] = {"answer": shown.text, "sources": shown.sources}
        result |= {name: shown.context.get(name) for name in ("session_id", "message_id")}
        result |= {name: shown.done.get(name) for name in ("finish_reason", "usage", "citations")}
        if shown.error is not None:
            result["error"] = {"code": shown.error["code"], "message": shown.error["data"]}
        print_json(result)
    else:
        _print_sources(shown)
        for file in shown.done.get("unread", []):
            note(say("ask.unread", name=plain(file["name"])))
        if reason := CUT.get(shown.done.get("finish_reason", "")):
            note(say(reason))
    if shown.error is not None and as_json:
        raise click.exceptions.Exit(FAILED)
    if shown.error is not None:
        raise End(plain(shown.error["data"]), shown.error["code"])


def _print_sources(shown: Printer) -> None:
    cited = [source for source in shown.sources if source["n"] in shown.done.get("citations", [])]
    if not cited and shown.error is None:
        note(say("ask.nothing_cited", of=plain(shown.context.get("data") or "")))
    if not cited:
        return
    out()
    out(say("ask.sources"))
    for source in cited:
        out(f"  [{source['n']}] {place_of(source)}")
        if quote := source["quote"]:
            out(f"      {cut(quote, QUOTE_LINES * (columns() - 8) if is_watched() else 1000)}")


# the terminal's last session


def _last_session(settings: Settings, service: Service) -> str:
    found = _sessions(settings).get(service.url)
    if not found:
        raise End(say("ask.no_session"), "no_session")
    return found


def _remember_session(settings: Settings, service: Service, session_id: str) -> None:
    try:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = Path(settings.home / LAST)
        file.write_text(
            json.dumps({**_sessions(settings), service.url: session_id}) + "\n", encoding="utf-8"
        )
    except OSError:  # another user's home: only --continue does not work
        return


def _sessions(settings: Settings) -> dict[str, str]:
    try:
        found = json.loads((settings.home / LAST).read_text("utf-8"))
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}
