"""`sync`: make a knowledge base match a folder by uploading and removing files.

A file that was uploaded by hand is removed too if the folder does not have it. On a terminal,
removing needs a confirmation; --keep removes nothing, --dry-run changes nothing.
"""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from chatapp.cli.folder import Local, Plan, make_plan, without_removing
from chatapp.cli.forms import Command, as_json
from chatapp.cli.knowledge import PATH, list_of, named
from chatapp.cli.service import Refused, Service
from chatapp.cli.terminal import (
    FAILED,
    MISUSED,
    End,
    confirm,
    is_watched,
    may_ask,
    note,
    out,
    plain,
    print_json,
    say,
)
from chatapp.cli.uploading import reason, upload, wait_until_read

KINDS = {
    "empty": "sync.kind.empty",
    "picture": "sync.kind.picture",
    "sound": "sync.kind.sound",
    "archive": "sync.kind.archive",
    "old_office": "sync.kind.old_office",
    "unsupported": "sync.kind.unsupported",
}
MAX_NAMES = 20  # printed of a list


@click.command(cls=Command, help=say("help.sync.long"))
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--base", "-b", "name", metavar="NAME", required=True, help=say("option.base_sync"))
@click.option("--keep", is_flag=True, help=say("option.keep"))
@click.option("--dry-run", is_flag=True, help=say("option.dry_run"))
@click.option("--yes", "-y", is_flag=True, help=say("option.yes"))
@as_json
def sync(folder: Path, name: str, keep: bool, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Make a base match a folder."""
    if not folder.is_dir():
        raise End(
            say("sync.is_file" if folder.exists() else "sync.no_folder", folder=folder),
            "no_folder",
            MISUSED,
        )
    service = Service.from_settings()
    base = named(list_of(service), name)
    plan = make_plan(folder, service.items(f"{PATH}/{base['id']}/files") if base else [])
    if plan.unreadable and (plan.change or plan.remove) and not keep:
        note(say("sync.not_removed"))
    if keep or plan.unreadable:  # an unreadable file is not a removed one
        plan = without_removing(plan)
    if dry_run:
        _print_plan(plan, as_json)
        return
    _check(plan, folder, yes)
    if base is None:
        base = service.call("POST", PATH, {"name": name})
    failed = _carry_out(service, base["id"], plan, quiet=as_json or not is_watched())
    _report(plan, failed, base, as_json)
    if failed:
        raise click.exceptions.Exit(FAILED)


def _check(plan: Plan, folder: Path, yes: bool) -> None:
    """Confirm removals; refuse an empty folder, which may be a disk that is not mounted."""
    if not plan.remove or yes:
        return
    if not (plan.upload or plan.change or plan.keep or may_ask()):
        raise End(say("sync.empty", folder=folder, files=len(plan.remove)), "empty_folder")
    if may_ask():
        note(say("sync.to_remove", files=len(plan.remove)))
        note(_names([row["name"] for row in plan.remove]))
        if not confirm(say("sync.remove")):
            raise End(say("not_done"), "not_confirmed")


def _carry_out(service: Service, base_id: str, plan: Plan, quiet: bool) -> list[dict[str, Any]]:
    """Upload, wait, remove; return failures by name and reason, and drop them from the plan."""
    failed = [{"name": place, "message": why} for place, why in plan.unreadable]
    files = [*plan.upload, *(file for file, _ in plan.change)]
    old = [*plan.remove, *(row for _, row in plan.change)]
    sent: dict[str, Local] = {}
    # The service keeps one file for the same bytes, so a renamed file is removed first.
    wanted = {file.md5 for file in files}
    renamed = [row for row in old if row["md5"] in wanted]
    for row in renamed:
        _remove(service, base_id, row)
    for row in plan.keep:
        if row["status"] == "failed" and row["error"] and row["error"]["retryable"]:
            service.call("POST", f"{PATH}/{base_id}/files/{row['id']}/retry")
    with _bar(sum(file.size for file in files), say("sync.uploading"), quiet) as bar:
        for file in files:
            try:
                sent[upload(service, base_id, file, bar.update if bar else _nothing)["id"]] = file
            except (Refused, OSError) as fault:
                failed.append({"name": file.place, "message": reason(fault)})
    ids = {*sent, *(row["id"] for row in plan.keep)}
    not_replaced = [row for file, row in plan.change if file not in sent.values()]
    with _bar(len(ids), say("sync.reading"), quiet) as bar:
        rows = wait_until_read(service, base_id, ids, bar.update if bar else _nothing)
    for row in old:
        if row not in renamed and row not in not_replaced:
            _remove(service, base_id, row)
    unread = {key: row for key, row in rows.items() if row["status"] == "failed"}
    for key, row in unread.items():
        name = sent.pop(key).place if key in sent else row["name"]
        failed.append({"name": name, "message": row["error"]["message"] if row["error"] else ""})
    _take_out(plan, set(sent.values()), set(unread))
    return failed


def _take_out(plan: Plan, done: set[Local], unread: set[str]) -> None:
    """Keep in the plan only files that were uploaded and read."""
    plan.upload = [file for file in plan.upload if file in done]
    plan.change = [(file, row) for file, row in plan.change if file in done]
    plan.keep = [row for row in plan.keep if row["id"] not in unread]


def _remove(service: Service, base_id: str, row: dict[str, Any]) -> None:
    try:
        service.call("DELETE", f"{PATH}/{base_id}/files/{row['id']}")
    except Refused as refused:
        if refused.http_status != 404:  # removed already
            raise


def _bar(length: int, label: str, quiet: bool) -> Any:
    return (
        nullcontext(None)
        if quiet or not length
        else click.progressbar(length=length, label=label, show_eta=False)
    )


def _nothing(_: int) -> None:
    """Show no progress."""


def _report(plan: Plan, failed: list[dict[str, Any]], base: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json({"knowledge_base_id": base["id"], **_as_json(plan), "failed": failed})
        return
    counts = {
        "added": len(plan.upload),
        "changed": len(plan.change),
        "removed": len(plan.remove),
        "unchanged": len(plan.keep),
    }
    out(say("sync.done", name=plain(base["name"]), **counts))
    _print_skipped(plan)
    if failed:
        note(say("sync.failed", files=len(failed)))
        note("\n".join(f"  {plain(row['name'])}: {plain(row['message'])}" for row in failed))


def _print_plan(plan: Plan, as_json: bool) -> None:
    if as_json:
        print_json(_as_json(plan))
        return
    for key, names in (
        ("sync.would_upload", [file.place for file in plan.upload]),
        ("sync.would_change", [file.place for file, _ in plan.change]),
        ("sync.would_remove", [row["name"] for row in plan.remove]),
    ):
        out(say(key, files=len(names)))
        if names:
            out(_names(names))
    out(say("sync.would_keep", files=len(plan.keep)))
    _print_skipped(plan)


def _print_skipped(plan: Plan) -> None:
    if plan.skipped:
        note(say("sync.skipped", files=len(plan.skipped)))
        lines = [
            f"  {plain(place)}: {say(KINDS[kind])}" for place, kind in plan.skipped[:MAX_NAMES]
        ]
        note("\n".join([*lines, *(["  …"] if len(plan.skipped) > MAX_NAMES else [])]))


def _names(names: list[str]) -> str:
    return "\n".join(
        [
            *(f"  {plain(name)}" for name in names[:MAX_NAMES]),
            *(["  …"] if len(names) > MAX_NAMES else []),
        ]
    )


def _as_json(plan: Plan) -> dict[str, Any]:
    return {
        "uploaded": [file.place for file in plan.upload],
        "changed": [file.place for file, _ in plan.change],
        "removed": [row["name"] for row in plan.remove],
        "unchanged": [row["name"] for row in plan.keep],
        "skipped": [{"name": place, "reason": kind} for place, kind in plan.skipped],
    }
