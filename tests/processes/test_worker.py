"""The document worker as a process: a child for every file, kills, a clean end."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from chatapp.errors import UnreadableFile
from chatapp.knowledge.ingest.jobs import BATCH_CHUNKS
from chatapp.knowledge.ingest.parse import MACHINE
from chatapp.knowledge.ingest.remove import STEP_BATCHES, Remover, mark_deleting
from chatapp.knowledge.ingest.sandbox import parse_limited
from chatapp.knowledge.search.lexical import index_for
from chatapp.settings import MB, Settings
from chatapp.storage.models import Chunk, File, KnowledgeBase, now
from tests.support import documents
from tests.support.service import PATIENCE_SECONDS, ROOT, wait_for
from tests.support.shelf import Shelf
from tests.support.worker import worker


def ended(shelf: Shelf, file_id: str) -> dict[str, Any] | None:
    row = shelf.knowledge.file(shelf.user, shelf.base, file_id)
    return row if row["status"] in ("ready", "failed") else None


def test_it_reads_what_waits_and_deleting_leaves_nothing(
    shelf: Shelf, english_pdf: bytes, chinese_pdf: bytes
) -> None:
    rows = [
        shelf.put("en.pdf", english_pdf),
        shelf.put("zh.pdf", chinese_pdf),
        shelf.put("x.docx", documents.word()),
    ]
    rows.append(shelf.put("scan.pdf", documents.scan()))
    with worker(shelf.settings.home) as process:
        states = [wait_for(lambda row=row: ended(shelf, row["id"]))["status"] for row in rows]
        assert states == ["ready", "ready", "ready", "failed"]
        assert shelf.search("How many days of paid leave do employees in Hamburg get?")[0].page == 8
        shelf.knowledge.delete(shelf.user, shelf.base)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0
    assert shelf.leftovers() == {}


def test_a_pdf_of_thirty_pages_becomes_searchable(shelf: Shelf, english_pdf: bytes) -> None:
    with worker(shelf.settings.home):
        shelf.put("en.pdf", english_pdf)
        found = wait_for(
            lambda: shelf.search("How many days of paid leave do employees in Hamburg get?")
        )
    assert found[0].page == 8


def test_killed_in_the_middle_the_next_one_finishes_it_once(shelf: Shelf) -> None:
    text = "\n\n".join(
        f"Paragraph {n} about leave. " + "It says a lot more than that. " * 30 for n in range(4000)
    )
    row = shelf.put("long.txt", text)
    with worker(shelf.settings.home) as process:
        wait_for(lambda: shelf.count("chunks") > 0)
        process.kill()
        process.wait()
    left = shelf.count("chunks")
    assert ended(shelf, row["id"]) is None

    def expire(t: Any) -> None:
        t.execute(update(File).values(lease_until=now()))

    shelf.database.write(expire)
    with worker(shelf.settings.home):
        ready = wait_for(lambda: ended(shelf, row["id"]))
    assert ready["status"] == "ready"
    assert ready["chunks"] == shelf.count("chunks") == shelf.count("lexical") >= left
    assert shelf.database.read(
        lambda t: t.scalars(select(Chunk.ordinal).order_by(Chunk.ordinal)).all()
    ) == list(range(ready["chunks"]))


def test_two_workers_share_the_files(shelf: Shelf) -> None:
    rows = [
        shelf.put(f"{number}.txt", f"Text number {number} about leave.") for number in range(12)
    ]
    with worker(shelf.settings.home), worker(shelf.settings.home):
        for row in rows:
            assert wait_for(lambda row=row: ended(shelf, row["id"]))["status"] == "ready"
    assert shelf.count("chunks") == shelf.count("lexical") == 12


@pytest.mark.parametrize("whole", [True, False], ids=["base", "file"])
def test_a_large_deletion_takes_turns_with_reading(shelf: Shelf, whole: bool) -> None:
    sections = 4 * STEP_BATCHES * BATCH_CHUNKS
    doomed = shelf.knowledge.create(shelf.user, "Doomed")["id"]
    large = shelf.add(
        "large.md", "\n\n".join(f"# Rule {n}\n\nText {n}." for n in range(sections)), doomed
    )
    small = shelf.put("small.txt", "The leave of employees.")

    def delete(t: Session) -> None:
        if whole:
            of_base = KnowledgeBase.id == doomed
            t.execute(update(KnowledgeBase).where(of_base).values(user_id=None))
        else:
            mark_deleting(t, large["id"], leased=False)

    shelf.database.write(delete)
    with worker(shelf.settings.home):
        wait_for(lambda: ended(shelf, small["id"]))
        assert shelf.count("chunks") > 1, "the deletion goes on"
        wait_for(lambda: shelf.count("chunks") == 1)
        assert shelf.search("leave")


def test_a_step_of_deleting_a_base_is_one_file(shelf: Shelf) -> None:
    """The worker reads a file between two steps."""
    doomed = shelf.knowledge.create(shelf.user, "Doomed")["id"]
    for number in range(4):
        shelf.add(f"{number}.txt", f"Rule {number}.", doomed)
    of_base = KnowledgeBase.id == doomed
    shelf.database.write(
        lambda t: t.execute(update(KnowledgeBase).where(of_base).values(user_id=None)) and None
    )
    remover = Remover(shelf.database, index_for(True), shelf.knowledge.originals)
    left = []
    while remover.run_step():
        left.append((shelf.count("files"), shelf.count("knowledge_bases")))
    assert left == [(3, 2), (2, 2), (1, 2), (0, 2), (0, 1)]
    assert not remover.has_work()


# --- the child around a parser


def limited(settings: Settings, path: Path, name: str = "file") -> Any:
    return parse_limited(path, name, settings, lambda: None)


def test_settings_that_have_become_invalid_are_named_without_a_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "chatapp.processes.worker"],
        cwd=ROOT,
        env={**os.environ, "CHATAPP_HOME": str(tmp_path), "CHATAPP_AUTH": "maybe", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "CHATAPP_AUTH must be accounts or off.\n")


def test_a_parser_that_takes_too_much_memory_or_time_is_stopped(tmp_path: Path) -> None:
    original = tmp_path / "original"
    original.write_bytes(documents.nested_pdf())
    for settings in (
        Settings(home=tmp_path, parse_bytes=160 * MB),
        Settings(home=tmp_path, parse_seconds=0),
    ):
        with pytest.raises(UnreadableFile) as refused:
            limited(settings, original)
        assert refused.value.detail == "limits"


def test_the_child_gives_back_what_the_parser_found(tmp_path: Path) -> None:
    original = tmp_path / "original"
    original.write_bytes(documents.word())
    document = limited(Settings(home=tmp_path), original)
    assert [section.heading for section in document.sections] == [
        "Leave",
        "Leave › Sickness",
        "出差",
    ]
    original.write_bytes(documents.bomb())
    with pytest.raises(UnreadableFile) as refused:
        limited(Settings(home=tmp_path), original)
    assert refused.value.detail == "bomb"


def test_a_child_does_not_outlive_what_it_was_started_for(tmp_path: Path) -> None:
    original = tmp_path / "original"
    original.write_bytes(b"word " * 10 * MB)

    class Enough(Exception):
        pass

    def enough() -> None:
        raise Enough

    with pytest.raises(Enough):
        parse_limited(original, "file", Settings(home=tmp_path), enough)
    children = subprocess.run(
        ["pgrep", "-P", str(os.getpid()), "-f", "ingest.parse"], capture_output=True, check=False
    )
    assert children.stdout == b""


def test_a_file_for_which_memory_is_short_is_not_called_damaged(tmp_path: Path) -> None:
    """Parsers in C report that in errors of their own."""
    page, table = tmp_path / "page.html", tmp_path / "table.csv"
    page.write_bytes(b"<html><body>" + b"<p>Leave <b>lasts</b></p>" * 200_000)
    table.write_bytes(b"a,b,c\n" * 400_000)
    for path in (page, table):
        for limit in (60 * MB, 100 * MB):
            try:
                limited(Settings(home=tmp_path, parse_bytes=limit), path, path.name)
            except UnreadableFile as fault:
                assert fault.key == "error.unreadable_file.limits"
            else:
                assert path == table and limit == 100 * MB


def test_a_parser_without_free_descriptors_says_nothing_about_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    path.write_bytes(documents.word())
    command = (
        "import resource, sys; from chatapp.knowledge.ingest.parse import main; "
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3)); sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", command, str(path), path.name, "100"],
        cwd=ROOT,
        capture_output=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout) == (MACHINE, b"")
