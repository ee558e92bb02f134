"""Bases and files: counts, paging, uploads, complete deletion, and access by other users."""

import hashlib
import threading
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from sqlalchemy import select, update

from chatapp.errors import DiskFull, Forbidden, NotFound, TooLarge, UnreadableFile
from chatapp.knowledge.bases import Knowledge
from chatapp.knowledge.ingest.jobs import BATCH_CHUNKS
from chatapp.knowledge.ingest.remove import STEP_BATCHES, Remover, mark_deleting
from chatapp.settings import Settings
from chatapp.storage.models import File, KnowledgeBase, now
from tests.support.shelf import Shelf, add_user, make_shelf
from tests.support.small_disk import NEEDS_MOUNT, fill, small_disk

LARGE = "\n\n".join(f"# Rule {n}\n\nText {n}." for n in range(2 * STEP_BATCHES * BATCH_CHUNKS + 9))


def test_a_base_counts_its_files(shelf: Shelf) -> None:
    assert shelf.knowledge.base(shelf.user, shelf.base)["state"] == "empty"
    shelf.put("a.txt", "The leave of employees.")
    assert shelf.knowledge.base(shelf.user, shelf.base)["state"] == "reading"
    shelf.work()
    shelf.add("b.txt", b"\x89PNG\r\n\x1a\n")
    base = shelf.knowledge.base(shelf.user, shelf.base)
    assert (base["state"], base["files"], base["chunks"], base["failed"], base["pending"]) == (
        "ready",
        2,
        1,
        1,
        0,
    )
    assert base["bundled"] is False


def test_uploading_the_same_bytes_again_returns_the_first_file(shelf: Shelf) -> None:
    first = shelf.add("a.txt", "The leave of employees.")
    again = shelf.put("copy of a.txt", "The leave of employees.")
    assert again["id"] == first["id"] and again["name"] == "a.txt" and again["status"] == "ready"
    assert again["md5"] == hashlib.md5(b"The leave of employees.").hexdigest()
    assert shelf.count("files") == 1


def test_an_original_is_deleted_with_its_last_file(shelf: Shelf) -> None:
    other = shelf.knowledge.create(shelf.user, "Other")["id"]
    one = shelf.add("a.txt", "The leave of employees.")
    two = shelf.add("b.txt", "The leave of employees.", other)
    assert one["md5"] == two["md5"] and one["id"] != two["id"]
    shelf.knowledge.delete_file(shelf.user, shelf.base, one["id"])
    path, name = shelf.knowledge.content(shelf.user, other, two["id"])
    assert path.read_bytes() == b"The leave of employees." and name == "b.txt"
    assert [passage.name for passage in shelf.search("leave", bases=[other])] == ["b.txt"]
    shelf.knowledge.delete_file(shelf.user, other, two["id"])
    assert shelf.leftovers() == {}


def test_deleting_a_base_leaves_nothing(shelf: Shelf) -> None:
    for number in range(3):
        shelf.add(f"{number}.txt", f"The leave number {number}. " * 100)
    shelf.knowledge.delete(shelf.user, shelf.base)
    assert shelf.leftovers() == {}
    assert shelf.count("knowledge_bases") == 0
    with pytest.raises(NotFound):
        shelf.knowledge.base(shelf.user, shelf.base)


def test_a_deletion_that_is_late_deletes_no_base_that_was_made_since(shelf: Shelf) -> None:
    """The worker and a request may delete the same base, and another one may follow it."""

    def number(base_id: str) -> int:
        query = select(KnowledgeBase.number).where(KnowledgeBase.id == base_id)
        return shelf.database.read(lambda t: t.scalars(query).one())

    deleted = number(shelf.base)
    shelf.knowledge.delete(shelf.user, shelf.base)
    newer = shelf.knowledge.create(shelf.user, "Newer")["id"]
    shelf.add("a.txt", "The leave of employees.", newer)
    assert number(newer) > deleted, "or whatever still knows the number means another base"
    remover = Remover(shelf.database, shelf.ingest()._index, shelf.knowledge.originals)
    for late in (deleted, number(newer)):
        remover.begin_bases([late])
    assert [passage.name for passage in shelf.search("leave", bases=[newer])] == ["a.txt"]


def test_the_worker_finishes_an_interrupted_deletion(shelf: Shelf) -> None:
    row = shelf.add("a.txt", "The leave of employees. " * 200)
    shelf.add("b.txt", "Something else.")
    shelf.database.write(lambda t: mark_deleting(t, row["id"]))
    assert shelf.search("leave") == []
    assert len(shelf.knowledge.files(shelf.user, shelf.base)[0]) == 1
    assert not shelf.knowledge.has_work(), "its deletion may still be running"
    shelf.database.write(
        lambda t: t.execute(update(File).values(lease_until=now() - timedelta(seconds=1))) and None
    )
    assert shelf.knowledge.has_work()
    remover = Remover(shelf.database, shelf.ingest()._index, shelf.knowledge.originals)
    while remover.run_step():
        pass
    assert shelf.count("files") == shelf.count("chunks") == shelf.count("lexical") == 1
    orphan = update(KnowledgeBase).values(user_id=None)
    shelf.database.write(lambda t: t.execute(orphan) and None)
    while remover.run_step():
        pass
    assert shelf.leftovers() == {}


def test_a_large_file_is_deleted_in_pieces(shelf: Shelf) -> None:
    row = shelf.add("large.md", LARGE)
    chunks = shelf.count("chunks")
    assert chunks > 2 * STEP_BATCHES * BATCH_CHUNKS
    shelf.database.write(lambda t: mark_deleting(t, row["id"], leased=False))
    remover = Remover(shelf.database, shelf.ingest()._index, shelf.knowledge.originals)
    assert remover.run_step()
    assert shelf.count("chunks") == chunks - STEP_BATCHES * BATCH_CHUNKS
    while remover.run_step():
        pass
    shelf.database.write(lambda t: t.execute(update(KnowledgeBase).values(user_id=None)) and None)
    assert remover.run_step() and shelf.leftovers() == {}


def test_a_file_being_deleted_can_be_uploaded_again(shelf: Shelf) -> None:
    row = shelf.add("a.txt", "The leave of employees.")
    shelf.database.write(lambda t: mark_deleting(t, row["id"]))
    again = shelf.add("a.txt", "The leave of employees.")
    assert again["id"] != row["id"] and again["status"] == "ready"
    assert len(shelf.search("leave")) == 1


def test_another_user_s_base_is_not_found(shelf: Shelf) -> None:
    row = shelf.add("a.txt", "text")
    other = add_user(shelf.database, "other")
    knowledge = shelf.knowledge
    for attempt in (
        lambda: knowledge.base(other, shelf.base),
        lambda: knowledge.change(other, shelf.base, {"name": "mine"}),
        lambda: knowledge.delete(other, shelf.base),
        lambda: knowledge.files(other, shelf.base),
        lambda: knowledge.file(other, shelf.base, row["id"]),
        lambda: knowledge.content(other, shelf.base, row["id"]),
        lambda: knowledge.chunks(other, shelf.base, row["id"]),
        lambda: knowledge.delete_file(other, shelf.base, row["id"]),
        lambda: knowledge.retry_file(other, shelf.base, row["id"]),
        lambda: knowledge.add_file(other, shelf.base, "x.txt", BytesIO(b"x")),
        lambda: knowledge.select_bases(other, [shelf.base]),
        lambda: knowledge.file(shelf.user, shelf.base, "no such id"),
        lambda: knowledge.select_bases(shelf.user, [shelf.base, "no such id"]),
    ):
        with pytest.raises(NotFound):
            attempt()
    assert knowledge.bases(other) == []
    assert list((shelf.settings.home / "originals").glob("incoming-*")) == []


def test_deleting_all_of_a_user_leaves_nothing(shelf: Shelf) -> None:
    shelf.add("a.txt", "The leave of employees.")
    shelf.knowledge.delete_all_of(shelf.user)
    assert shelf.leftovers() == {}


def test_files_and_chunks_come_in_pages(shelf: Shelf) -> None:
    for number in range(5):
        row = shelf.add(
            f"{number}.txt",
            "\n\n".join(f"Paragraph {n} of {number}. " + "word " * 150 for n in range(5)),
        )
    names, after = [], None
    while True:
        rows, after = shelf.knowledge.files(shelf.user, shelf.base, after, 2)
        names += [each["name"] for each in rows]
        if after is None:
            break
    assert names == [f"{number}.txt" for number in reversed(range(5))]
    first, after = shelf.knowledge.chunks(shelf.user, shelf.base, row["id"], None, 2)
    rest, end = shelf.knowledge.chunks(shelf.user, shelf.base, row["id"], after, 50)
    assert end is None
    assert [chunk["ordinal"] for chunk in first + rest] == list(range(row["chunks"]))


# --- uploads


def test_too_large_and_empty_files_leave_nothing(tmp_path: Path, shelf: Shelf) -> None:
    small = Knowledge(shelf.database, Settings(home=tmp_path, upload_bytes=1000))
    with pytest.raises(TooLarge):
        small.add_file(shelf.user, shelf.base, "a.txt", BytesIO(b"x" * 1001))
    with pytest.raises(UnreadableFile) as refused:
        small.add_file(shelf.user, shelf.base, "a.txt", BytesIO(b""))
    assert refused.value.detail == "empty"
    assert shelf.leftovers() == {}
    assert small.add_file(shelf.user, shelf.base, "a.txt", BytesIO(b"x" * 1000))["size"] == 1000


def test_a_full_disk_is_reported(shelf: Shelf) -> None:
    incoming = shelf.knowledge.originals.incoming()
    incoming._file.close()
    incoming._file = open("/dev/full", "wb", buffering=0)  # noqa: SIM115  closed by discard
    incoming.write(b"x" * 10)
    with pytest.raises(DiskFull):
        shelf.knowledge.add_file(shelf.user, shelf.base, "a.txt", incoming)
    assert shelf.leftovers() == {}


@NEEDS_MOUNT
def test_an_upload_whose_row_cannot_be_stored_leaves_no_original(tmp_path: Path) -> None:
    """The database is on a disk of its own, which gets full while files are uploaded."""
    with small_disk(tmp_path / "disk", 8) as disk:
        shelf = make_shelf(Settings(home=tmp_path, database_url=f"sqlite:///{disk}/chatapp.db"))
        shelf.database.fill_reserve()
        shelf.put("first.txt", "the first")
        fill(disk)
        with pytest.raises(DiskFull):
            for n in range(10_000):
                shelf.put(f"{n}.txt", f"number {n}")
        left = shelf.leftovers()
        assert left["files"] == left["originals"] > 0
        [*_, last] = shelf.knowledge.files(shelf.user, shelf.base)[0]
        shelf.knowledge.delete_file(shelf.user, shelf.base, last["id"])
        assert shelf.leftovers().get("originals", 0) == left["originals"] - 1
        shelf.database.close()


def test_a_name_never_reaches_the_file_system(shelf: Shelf) -> None:
    shelf.add("../../evil.txt", "text")
    assert list(shelf.settings.home.parent.rglob("*evil*")) == []


def test_concurrent_uploads_are_stored_once(shelf: Shelf) -> None:
    def upload(number: int) -> None:
        shelf.put(f"{number}.txt", f"Text number {number % 4}.")

    threads = [threading.Thread(target=upload, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shelf.count("files") == 4
    assert shelf.work() == ["ready"] * 4


# --- the manual


def test_the_manual_is_readable_by_all_and_changeable_by_none(shelf: Shelf, tmp_path: Path) -> None:
    folder = tmp_path / "manual"
    folder.mkdir()
    (folder / "en.md").write_text("# Stop\n\nA click on Stop ends the answer.", "utf-8")
    (folder / "zh.md").write_text("# 停止\n\n点击停止按钮即可结束回答。", "utf-8")
    for _ in range(2):  # idempotent
        shelf.knowledge.install_manual(folder)
        shelf.work()
    other = add_user(shelf.database, "other")
    (manual,) = shelf.knowledge.bases(other)
    assert (manual["bundled"], manual["files"], manual["state"]) == (True, 2, "ready")
    assert [passage.name for passage in shelf.search("如何停止回答", bases=[manual["id"]])] == [
        "停止.md"
    ]
    for attempt in (
        lambda: shelf.knowledge.delete(other, manual["id"]),
        lambda: shelf.knowledge.change(other, manual["id"], {"name": "x"}),
        lambda: shelf.knowledge.add_file(other, manual["id"], "a.txt", BytesIO(b"x")),
    ):
        with pytest.raises(Forbidden):
            attempt()
    (folder / "en.md").write_text("# Stop\n\nThe square ends the answer.", "utf-8")
    (folder / "zh.md").unlink()
    shelf.knowledge.install_manual(folder)
    shelf.work()
    (passage,) = shelf.search("what ends the answer?", bases=[manual["id"]])
    assert "square" in passage.text
    assert shelf.knowledge.bases(other)[0]["files"] == 1
