"""`sync`: a base holds what a folder holds, and nothing goes that was not meant to."""

import json
import os
import pty
import select
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatapp.cli.folder import make_plan
from tests.support.service import PATIENCE_SECONDS, TOKEN, Service
from tests.support.terminal import Run, environ, start

pytestmark = pytest.mark.server
NOBODY = 65534
COMPOSED = [
    ("NFD", "예산 보고서.txt"),
    ("NFC", "결산 보고서.txt"),
    ("NFD", "Résumé.txt"),
    ("NFD", "がぎぐ.md"),
]


def files(service: Service, base: str) -> dict[str, str]:
    """The files of a base: name and status."""
    bases = service.get("/api/knowledge").json["items"]
    base_id = next(each["id"] for each in bases if each["name"] == base)
    return {
        each["name"]: each["status"]
        for each in service.get(f"/api/knowledge/{base_id}/files").json["items"]
    }


def synced(run: Run, *words: str) -> dict[str, Any]:
    done = run("sync", *words, "--json")
    result: dict[str, Any] = json.loads(done.stdout)
    return result | {"exit_code": done.exit_code}


def test_a_base_follows_a_folder(run: Run, service: Service, folder: Path) -> None:
    first = run("sync", str(folder), "--base", "Synced")
    assert first.exit_code == 0
    assert "2 added, 0 changed, 0 removed, 0 unchanged" in first.stdout
    assert "photo.png: an image" in first.stderr and "empty.txt: empty" in first.stderr
    assert files(service, "Synced") == {"leave.md": "ready", "keys.txt": "ready"}

    again = synced(run, str(folder), "-b", "Synced")
    assert again["uploaded"] == again["changed"] == again["removed"] == []
    assert sorted(again["unchanged"]) == ["keys.txt", "leave.md"]

    (folder / "leave.md").write_text("# Leave\n\nIt is 30 days now.\n")
    (folder / "rules" / "keys.txt").rename(folder / "rules" / "cabinet.txt")
    changed = synced(run, str(folder), "-b", "Synced")
    assert changed["changed"] == ["leave.md"]
    assert (changed["uploaded"], changed["removed"], changed["unchanged"]) == (
        ["rules/cabinet.txt"],
        ["keys.txt"],
        [],
    )
    assert files(service, "Synced") == {"leave.md": "ready", "cabinet.txt": "ready"}
    assert "30 days" in run("knowledge", "search", "how many days", "--base", "Synced").stdout


def test_a_dry_run_changes_nothing_and_keep_removes_nothing(
    run: Run, service: Service, folder: Path
) -> None:
    looked = run("sync", str(folder), "-b", "Kept", "--dry-run")
    assert (
        looked.exit_code == 0
        and "Would upload: 2" in looked.stdout
        and "rules/keys.txt" in looked.stdout
    )
    assert all(base["name"] != "Kept" for base in service.get("/api/knowledge").json["items"])
    run("sync", str(folder), "-b", "Kept")
    (folder / "leave.md").unlink()
    assert synced(run, str(folder), "-b", "Kept", "--keep")["removed"] == []
    (folder / "rules" / "keys.txt").write_text("Keys are with Ada.\n")
    looked = run("sync", str(folder), "-b", "Kept", "--dry-run")
    assert "Would remove: 1\n  leave.md\n" in looked.stdout
    assert "Would upload: 0\nWould replace, changed: 1\n  rules/keys.txt\n" in looked.stdout
    kept = synced(run, str(folder), "-b", "Kept", "--keep")
    assert (kept["uploaded"], kept["changed"], kept["removed"]) == (["rules/keys.txt"], [], [])
    assert files(service, "Kept").keys() == {"leave.md", "keys.txt"}


def test_a_folder_that_is_none_is_named(run: Run, folder: Path) -> None:
    nowhere = run("sync", "/nope", "-b", "None")
    assert nowhere.exit_code == 2 and nowhere.stderr == "“/nope” does not exist.\n"
    file = folder / "leave.md"
    assert run("sync", str(file), "-b", "None").stderr == f"“{file}” is a file, not a folder.\n"
    assert (
        run("sync", str(file), "-b", "None", LC_ALL="zh_CN.UTF-8").stderr
        == f"“{file}”是文件，不是文件夹。\n"
    )


def test_an_empty_folder_empties_no_base_unasked(
    run: Run, service: Service, folder: Path, tmp_path: Path
) -> None:
    run("sync", str(folder), "-b", "Mounted")
    (tmp_path / "unmounted").mkdir()
    refused = run("sync", str(tmp_path / "unmounted"), "-b", "Mounted")
    assert refused.exit_code == 1 and "Is the disk mounted? Add --yes" in refused.stderr
    assert len(files(service, "Mounted")) == 2
    assert run("sync", str(tmp_path / "unmounted"), "-b", "Mounted", "--yes").exit_code == 0
    assert files(service, "Mounted") == {}


def test_what_cannot_be_read_is_listed_with_the_reason(run: Run, folder: Path) -> None:
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4\nthis is no PDF")
    done = run("sync", str(folder), "-b", "Broken", LC_ALL="zh_CN.UTF-8")
    assert done.exit_code == 1
    assert (
        "添加失败：1 个\n  broken.pdf: " in done.stderr
        and "新增 2，更新 0，移除 0，未变 0" in done.stdout
    )
    told = synced(run, str(folder), "-b", "Broken")
    assert (
        told["exit_code"] == 1
        and [row["name"] for row in told["failed"]] == ["broken.pdf"]
        and told["failed"][0]["message"]
    )
    assert sorted(told["unchanged"]) == ["keys.txt", "leave.md"]
    (folder / "rules" / "keys.txt").write_bytes(b"%PDF-1.4\nnor is this")
    told = synced(run, str(folder), "-b", "Broken")
    assert sorted(row["name"] for row in told["failed"]) == ["broken.pdf", "rules/keys.txt"]
    assert (told["changed"], told["unchanged"], told["removed"]) == ([], ["leave.md"], [])


def test_on_a_terminal_it_shows_progress_and_asks_before_it_removes(
    run: Run, service: Service, folder: Path
) -> None:
    run("sync", str(folder), "-b", "Asked")
    (folder / "leave.md").write_text("Another text about leave.\n")
    (folder / "rules" / "keys.txt").unlink()
    master, slave = pty.openpty()
    with start(
        environ(service, TERM="xterm"),
        "sync",
        str(folder),
        "-b",
        "Asked",
        stdin=slave,
        stdout=slave,
        stderr=slave,
    ) as process:
        os.close(slave)
        said = _read_until(master, "Remove them?")
        os.write(master, b"y\n")
        said += _read_until(master, "unchanged")
        assert process.wait(PATIENCE_SECONDS) == 0
    os.close(master)
    assert "keys.txt" in said and "leave.md" not in said and "100%" in said and "Uploading" in said


def test_a_second_run_changes_nothing_whatever_the_names_are(
    run: Run, service: Service, tmp_path: Path
) -> None:
    names = [
        *(unicodedata.normalize(form, name) for form, name in COMPOSED),
        *(
            "long " * 42 + ".txt",
            "长" * 80 + ".md",
            "a\\b.txt",
            "a\\",
            "line\nend.txt",
            "x:y?*.txt",
        ),
        *('say "hi".txt', "100%22 %0A.txt", "a;b.txt", "report\u202efdp.txt", " two  blanks .txt"),
        *("\u200b.txt", "CON", "tag\U000e0061.txt", os.fsdecode("年假.txt".encode("gbk"))),
        *("b.txt", os.fsdecode(b"\xff\xfe\x80.txt"), "half\udce5\udcb9.txt"),
    ]
    for name in names:
        (tmp_path / name).write_text(f"The content of {ascii(name)}.")
    base = unicodedata.normalize("NFD", "Résumés  of all")  # its name is stored in another form too
    first = synced(run, str(tmp_path), "-b", base)
    assert len(first["uploaded"]) == len(names) and not first["failed"]
    again = synced(run, str(tmp_path), "-b", base)
    assert again["uploaded"] == again["changed"] == again["removed"] == again["failed"] == []
    assert len(again["unchanged"]) == len(names)
    assert {"年假.txt", "b.txt", "reportfdp.txt", 'say "hi".txt'} <= set(again["unchanged"])


def test_a_base_whose_names_follow_an_older_rule_settles(tmp_path: Path) -> None:
    (tmp_path / "a\u202etxt.md").write_text("text")
    (file,) = make_plan(tmp_path, []).upload
    plan = make_plan(tmp_path, [{"id": "1", "name": "a\u202etxt.md", "md5": file.md5}])
    assert not plan.upload and not plan.change and len(plan.keep) == 1


def _read_until(terminal: int, words: str) -> str:
    said = ""
    while words not in said:
        assert select.select([terminal], [], [], 20)[0], said
        said += os.read(terminal, 4096).decode(errors="replace")
    return said


def test_files_with_the_same_bytes_are_one(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("the same")
    plan = make_plan(tmp_path, [])
    assert [file.place for file in plan.upload] == ["a.txt"]
    kept = make_plan(tmp_path, [{"id": "1", "name": "b.txt", "md5": plan.upload[0].md5}])
    assert not kept.upload and not kept.remove and len(kept.keep) == 1


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may look into, but for one part."""
    with tempfile.TemporaryDirectory(prefix="chatapp-sync-") as made:
        place = Path(made)
        place.chmod(0o755)
        (place / "closed").mkdir()
        (place / "open.txt").write_text("Everybody reads this.\n")
        (place / "closed" / "secret.txt").write_text("Not everybody reads this.\n")
        yield place
        (place / "closed").chmod(0o755)


def test_a_folder_that_may_not_be_read_has_not_lost_its_files(
    run: Run, service: Service, open_folder: Path
) -> None:
    run("sync", str(open_folder), "-b", "Locked")
    (open_folder / "closed").chmod(0)
    own = os.geteuid()
    if own == 0:  # root reads everything
        os.seteuid(NOBODY)
    try:
        done = run("sync", str(open_folder), "-b", "Locked", CHATAPP_TOKEN=TOKEN)
    finally:
        os.seteuid(own)
    assert (
        done.exit_code == 1
        and "Nothing is removed" in done.stderr
        and "closed: Permission denied" in done.stderr
    )
    assert files(service, "Locked").keys() == {"open.txt", "secret.txt"}


def test_a_pipe_in_the_folder_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    plan = make_plan(tmp_path, [])
    assert not (plan.upload or plan.skipped or plan.unreadable)
