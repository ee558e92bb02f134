"""The folder of pictures that belong to questions: how they are checked, cleaned and stored.

A picture is named by its id and never shared, so it is deleted with its row. What arrives is
checked by its first bytes, not by its name, and written anew by a child process with limits
(pageview/reencode.py): nothing but its pixels is stored. Methods wait without blocking the hub.
"""

import contextlib
import logging
import os
import re
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

from chatapp.errors import DiskFull, KnowledgeUnavailable, TooLarge, UnreadableFile, UnsupportedFile
from chatapp.knowledge.ingest.originals import Incoming
from chatapp.knowledge.pageview.cache import FOLDER as SLOTS_FOLDER
from chatapp.knowledge.pageview.picture import TOO_MANY, NoPicture, PageImage, from_bytes
from chatapp.knowledge.pageview.sandboxed import RendererEnded, reencode_limited, slot
from chatapp.settings import Settings
from chatapp.storage import threads
from chatapp.storage.disk import MIN_BYTES, disk_of

log = logging.getLogger("chatapp.knowledge")

FOLDER = "images"
KINDS = "PNG, JPEG, WebP, GIF"
MEGAPIXEL = 1_000_000
MAX_WAITING = 12  # pictures that wait to be cleaned, of one worker
RETRY_SECONDS = 3
UNFINISHED_SECONDS = 3600  # after which a file that no row names is deleted
_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_picture(head: bytes) -> bool:
    """Return whether a file begins like a PNG, JPEG, WebP or GIF."""
    return head.startswith(_SIGNATURES) or (head.startswith(b"RIFF") and head[8:12] == b"WEBP")


def image_path(files: Path, image_id: str) -> Path:
    """Return the path of a picture that is stored in the folder of files."""
    return files / FOLDER / image_id[:2] / image_id


def _time_of(folder: Path) -> float:
    """Return the time by a folder's file system, which may be another machine's."""
    probe = folder / f"incoming-{uuid.uuid4().hex}"
    try:
        probe.touch()
        return probe.stat().st_mtime
    except OSError:  # missing, full or read-only
        return time.time()
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)


class ImageFiles:
    """The pictures of a home."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.files_folder / FOLDER
        self._waiting = 0

    def incoming(self) -> Incoming:
        """Open a new upload; raise DiskFull."""
        disk = disk_of(self._folder)
        with disk.reporting():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self._folder / f"incoming-{uuid.uuid4().hex}"
            return Incoming(path, self._settings.image_bytes, disk)

    def require_space(self, size: int) -> None:
        """Raise DiskFull if the disk has no room for an upload of this size."""
        disk = disk_of(self._folder)
        fault = disk.check()
        if fault is None:
            disk.recovered()
            fault = DiskFull() if disk.free_bytes() < size + MIN_BYTES else None
        if fault is not None:
            raise fault

    def path(self, image_id: str) -> Path:
        """Return the path of a stored picture."""
        return image_path(self._settings.files_folder, image_id)

    def cleaned(self, arrived: Path) -> PageImage:
        """Return a picture without its metadata.

        Raises UnsupportedFile, UnreadableFile, TooLarge, and KnowledgeUnavailable while too many
        others wait.
        """
        if self._waiting >= MAX_WAITING:
            raise KnowledgeUnavailable("images", retry_after=RETRY_SECONDS)
        self._waiting += 1
        try:
            return from_bytes(threads.run(lambda: self._clean(arrived), threads.PAGES))
        except (RendererEnded, OSError) as fault:
            log.warning("a picture was not read: %r", fault)
            raise KnowledgeUnavailable("images", retry_after=RETRY_SECONDS) from fault
        except NoPicture as fault:
            log.info("a picture cannot be read: %s", fault)
            raise self._refused(str(fault)) from fault
        finally:
            self._waiting -= 1

    def write(self, image_id: str, content: bytes) -> None:
        """Store a picture; raise DiskFull."""
        path = self.path(image_id)

        def store() -> None:
            with disk_of(self._folder).reporting():
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                try:
                    with open(path, "xb") as file:
                        file.write(content)
                        file.flush()
                        os.fsync(file.fileno())
                except OSError:
                    path.unlink(missing_ok=True)
                    raise

        threads.run(store)

    def read(self, image_id: str) -> bytes | None:
        """Return a stored picture, None where it is missing."""

        def read() -> bytes | None:
            with contextlib.suppress(OSError):
                return self.path(image_id).read_bytes()
            return None

        return threads.run(read)

    def remove(self, image_ids: Iterable[str]) -> None:
        """Delete stored pictures; missing ones are ignored."""
        paths = [self.path(image_id) for image_id in image_ids]

        def unlink() -> None:
            for path in paths:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)

        if paths:
            threads.run(unlink)

    def finished_before(self, seconds: float = UNFINISHED_SECONDS) -> list[str]:
        """Return the ids of files that are older than so many seconds; delete uploads of that age
        that were never finished."""
        return threads.run(lambda: list(self._older(seconds)))

    def _clean(self, arrived: Path) -> bytes:
        with open(arrived, "rb") as file:
            if not is_picture(file.read(16)):
                raise UnsupportedFile("image", kinds=KINDS)
        with slot(self._settings.home / SLOTS_FOLDER, arrived.name):
            return reencode_limited(
                arrived, self._settings.image_pixels, self._settings.parse_bytes
            )

    def _refused(self, why: str) -> TooLarge | UnreadableFile:
        if TOO_MANY not in why:
            return UnreadableFile("image")
        return TooLarge("image_pixels", limit=self._settings.image_pixels // MEGAPIXEL)

    def _older(self, seconds: float) -> Iterator[str]:
        before = _time_of(self._folder) - seconds
        for path in self._folder.glob("*"):
            if path.name.startswith("incoming-"):
                with contextlib.suppress(OSError):
                    if path.stat().st_mtime < before:
                        path.unlink()
                continue
            for stored in path.glob("*"):
                with contextlib.suppress(OSError):
                    if _ID.fullmatch(stored.name) and stored.stat().st_mtime < before:
                        yield stored.name
