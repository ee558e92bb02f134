"""The data folder while others work in it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

from chatapp.home import why_unwritable


def test_a_file_that_sqlite_deletes_meanwhile_is_no_damage(tmp_path: Path) -> None:
    ended = Event()
    beside = tmp_path / "chatapp.db-shm"

    def open_and_close() -> None:
        while not ended.is_set():
            beside.touch()
            beside.unlink()

    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(open_and_close)
        try:
            assert {why_unwritable(tmp_path) for _ in range(2000)} == {None}
        finally:
            ended.set()
        work.result()
