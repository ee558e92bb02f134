"""`doctor`: check everything the service needs. It changes and starts nothing."""

from collections.abc import Callable, Iterable

import click

from chatapp.cli.checks import database, installed, kept, network, stored
from chatapp.cli.checks.connections import connections
from chatapp.cli.checks.finding import FAIL, OK, WARN, Finding
from chatapp.cli.forms import Command, as_json
from chatapp.cli.terminal import FAILED, out, plain, print_json, say
from chatapp.settings import Settings, SettingsError

COLOURS = {OK: "green", WARN: "yellow", FAIL: "red"}
CHECKS: tuple[Callable[[Settings], Iterable[Finding]], ...] = (
    installed.python,
    installed.variables,
    installed.page_libraries,
    installed.model,
    installed.office,
    installed.recognition,
    installed.file_limit,
    stored.home,
    kept.shared_files,
    stored.disk,
    stored.clock,
    database.database,
    connections,
    stored.sqlite,
    kept.secret,
    kept.originals,
    kept.vectors,
    network.service,
    network.chroma,
    network.proxies,
    network.reranker,
    network.suppliers,
)


@click.command(cls=Command, help=say("help.doctor.long"))
@as_json
def doctor(as_json: bool) -> None:
    """Run all checks and print what to do."""
    findings: list[Finding] = []

    def report(finding: Finding) -> None:
        findings.append(finding)
        if not as_json:
            word = {OK: say("doctor.ok"), WARN: say("doctor.warn"), FAIL: say("doctor.fail")}[
                finding.state
            ]
            out(f"{click.style(word, fg=COLOURS[finding.state])}  {plain(finding.message)}")

    try:
        settings = Settings.from_env()
    except SettingsError as fault:
        for line in str(fault).splitlines():
            report(Finding("settings", FAIL, line))
    else:
        for check in CHECKS:
            for finding in check(settings):
                report(finding)
    failed = sum(finding.state == FAIL for finding in findings)
    warned = sum(finding.state == WARN for finding in findings)
    if as_json:
        print_json(
            [
                {"check": each.check, "state": each.state, "message": each.message}
                for each in findings
            ]
        )
    else:
        out()
        out(
            say("doctor.failed", failed=failed, warned=warned)
            if failed
            else say("doctor.well", warned=warned)
        )
    if failed:
        raise click.exceptions.Exit(FAILED)
