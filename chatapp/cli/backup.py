"""`backup`, `restore` and `compact`: keep data, bring it back, and give space back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click

from chatapp import __version__
from chatapp.backups import archive as archives
from chatapp.backups.compact import compact as give_back
from chatapp.backups.create import make_backup
from chatapp.backups.faults import BackupFault
from chatapp.backups.restore import restore as put_back
from chatapp.backups.sizes import shown
from chatapp.cli.forms import Command, as_json
from chatapp.cli.start import require_database
from chatapp.cli.terminal import End, note, out, plain, print_json, say, table
from chatapp.settings import Settings

FOLDER = click.Path(file_okay=False, path_type=Path)
ARCHIVE = click.Path(exists=True, dir_okay=False, path_type=Path)
MOST_NAMES = 10  # of lost files that are printed


@click.command(cls=Command, help=say("help.backup.long"))
@click.argument("folder", required=False, type=FOLDER)
@click.option("--keep", metavar="N", type=click.IntRange(1), help=say("option.backup_keep"))
@click.option("--verify", metavar="ARCHIVE", type=ARCHIVE, help=say("option.backup_verify"))
@as_json
def backup(folder: Path | None, keep: int | None, verify: Path | None, as_json: bool) -> None:
    """Make a backup, or check one."""
    with _sentences():
        if verify is not None:
            _report_whole(verify, archives.verify(verify), as_json)
            return
        settings = Settings.from_env()
        require_database(settings)
        made = make_backup(settings, folder or settings.home / "backups", __version__, keep)
    manifest = made.manifest
    if as_json:
        print_json(
            {"archive": str(made.path), "size": made.size, "removed": list(made.removed)}
            | _facts(manifest)
        )
        return
    out(say("backup.made", archive=made.path, size=shown(made.size), files=_files(manifest)))
    if made.removed:
        out(say("backup.removed", names=", ".join(made.removed)))
    _warn(manifest)


@click.command(cls=Command, help=say("help.restore.long"))
@click.argument("archive", type=ARCHIVE)
@click.option("--replace", is_flag=True, help=say("option.restore_replace"))
@as_json
def restore(archive: Path, replace: bool, as_json: bool) -> None:
    """Restore a backup."""
    settings = Settings.from_env()
    with _sentences():
        manifest, aside = put_back(settings, archive, replace=replace)
    if as_json:
        print_json(
            {"home": str(settings.home), "replaced": aside and str(aside)} | _facts(manifest)
        )
        return
    out(say("backup.restored", home=settings.home, files=_files(manifest)))
    if aside is not None:
        out(say("backup.aside", folder=aside))
    _warn(manifest)


@click.command(cls=Command, help=say("help.compact.long"))
@as_json
def compact(as_json: bool) -> None:
    """Give space back and show where it was."""
    settings = Settings.from_env()
    require_database(settings)
    with _sentences():
        result = give_back(settings)
    if as_json:
        print_json(asdict(result))
        return
    before, after = result.before, result.after
    names = [name for name in before if before[name] or after[name]]
    rows = [(say(f"compact.{name}"), before[name], after[name]) for name in names]
    rows.append((say("compact.total"), sum(before.values()), sum(after.values())))
    titles = [say(f"column.{name}") for name in ("place", "before", "after")]
    table(titles, [(name, shown(one), shown(other)) for name, one, other in rows])
    out()
    out(say("compact.removed", count=result.removed))
    if result.held:
        out(say("compact.held", size=shown(result.held)))
    if settings.sqlite_file is None:
        out(say("compact.postgresql"))


@contextmanager
def _sentences() -> Iterator[None]:
    """End the command with the sentence of what went wrong."""
    try:
        yield
    except BackupFault as fault:
        params = {name: plain(str(value)) for name, value in fault.params.items()}
        raise End(say(f"backup.{fault.key}", **params), f"backup_{fault.key}") from fault


def _report_whole(path: Path, manifest: archives.Manifest, as_json: bool) -> None:
    if as_json:
        print_json({"archive": str(path)} | _facts(manifest))
        return
    time = manifest.created_at
    out(say("backup.whole", archive=path, time=time, files=_files(manifest)))
    _warn(manifest)


def _facts(manifest: archives.Manifest) -> dict[str, object]:
    """Return what programs are told of a backup."""
    return {
        "created_at": manifest.created_at,
        "database": manifest.database,
        "revision": manifest.revision,
        "files": _files(manifest),
        "missing": manifest.missing,
    }


def _files(manifest: archives.Manifest) -> int:
    """Return the number of documents and pictures."""
    folders = (archives.ORIGINALS, archives.IMAGES)
    return sum(name.partition("/")[0] in folders for name in manifest.members)


def _warn(manifest: archives.Manifest) -> None:
    """Name files that were lost or damaged before the backup."""
    if lost := manifest.missing:
        names = ", ".join(lost[:MOST_NAMES])
        note(say("backup.lost", count=len(lost), names=names + (" …" if lost[MOST_NAMES:] else "")))
    if archives.SECRET not in manifest.members:
        note(say("backup.no_secret"))
