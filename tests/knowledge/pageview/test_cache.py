"""The pages on disk: bounded, whole, shared by workers, removed with their file."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

from chatapp.knowledge.pageview.cache import PageCache, remove_pages
from tests.support.service import ROOT, wait_for

ONE, OTHER = (hashlib.sha256(name).hexdigest() for name in (b"one", b"other"))
SIZE = 1000


def pages(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "pages").iterdir())


def used(home: Path, sha256: str, page: int, ago: float) -> None:
    """Let a page be used last so many seconds ago."""
    (path,) = (home / "pages").glob(f"{sha256}-*-{page}-0")
    os.utime(path, (time.time() - ago,) * 2)


def test_a_stored_page_is_read_again(tmp_path: Path) -> None:
    cache = PageCache(tmp_path, 10 * SIZE)
    assert cache.read(ONE, "1-0") is None
    cache.write(ONE, "1-0", b"image")
    assert PageCache(tmp_path, 10 * SIZE).read(ONE, "1-0") == b"image"
    assert cache.read(ONE, "2-0") is None and cache.read(OTHER, "1-0") is None


def test_the_least_recently_used_pages_go_when_it_is_full(tmp_path: Path) -> None:
    cache = PageCache(tmp_path, 10 * SIZE)
    for page in range(1, 11):
        cache.write(ONE, f"{page}-0", bytes(SIZE))
        used(tmp_path, ONE, page, ago=1000 - page)
    assert cache.read(ONE, "1-0") is not None, "using it makes it the latest"
    cache.write(ONE, "11-0", bytes(SIZE))
    assert sum(path.stat().st_size for path in (tmp_path / "pages").iterdir()) <= 10 * SIZE
    assert cache.read(ONE, "1-0") is not None and cache.read(ONE, "11-0") is not None
    assert cache.read(ONE, "2-0") is None and cache.read(ONE, "3-0") is None


def test_a_page_larger_than_the_limit_is_not_stored(tmp_path: Path) -> None:
    for limit in (0, SIZE - 1):
        cache = PageCache(tmp_path, limit)
        cache.write(ONE, "1-0", bytes(SIZE))
        assert cache.read(ONE, "1-0") is None


def test_all_pages_of_a_file_are_removed_and_no_others(tmp_path: Path) -> None:
    cache = PageCache(tmp_path, 10 * SIZE)
    for page in (1, 2, 12):
        cache.write(ONE, f"{page}-0", b"image")
        cache.write(OTHER, f"{page}-0", b"image")
    remove_pages(tmp_path, ONE)
    assert len(pages(tmp_path)) == 3 and cache.read(ONE, "2-0") is None
    assert cache.read(OTHER, "2-0") == b"image"
    remove_pages(tmp_path / "nowhere", ONE)


def test_unfinished_files_are_deleted_when_they_are_old(tmp_path: Path) -> None:
    cache = PageCache(tmp_path, 10 * SIZE)
    cache.write(ONE, "1-0", b"image")
    for name, ago in (("writing-old", 7200), ("writing-new", 10), ("slot-0", 7200)):
        path = tmp_path / "pages" / name
        path.write_bytes(b"part")
        os.utime(path, (time.time() - ago,) * 2)
    cache.write(ONE, "2-0", b"image")
    assert {"writing-new", "slot-0"} <= set(pages(tmp_path))
    assert "writing-old" not in pages(tmp_path)


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "pages").write_text("a file in its place")
    cache = PageCache(tmp_path, 10 * SIZE)
    cache.write(ONE, "1-0", b"image")
    assert cache.read(ONE, "1-0") is None


WRITER = """
import sys
from pathlib import Path
from chatapp.knowledge.pageview.cache import PageCache
cache = PageCache(Path(sys.argv[1]), 20_000)
for turn in range(200):
    page = turn % 7
    cache.write(sys.argv[2], f"{page}-0", bytes([page]) * (2000 + page))
    found = cache.read(sys.argv[2], f"{(page + 3) % 7}-0")
    assert found is None or found == bytes([found[0]]) * (2000 + found[0]), "a part was read"
"""


def test_several_workers_write_and_tidy_at_once(tmp_path: Path) -> None:
    started = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), name], cwd=ROOT)
        for name in (ONE, ONE, OTHER)
    ]
    for process in started:
        assert wait_for(lambda process=process: process.poll() is not None) and not process.wait()
    assert sum(path.stat().st_size for path in (tmp_path / "pages").iterdir()) <= 20_000
    assert not [name for name in pages(tmp_path) if name.startswith("writing-")]
