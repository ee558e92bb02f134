"""Files of the home folder through which processes find each other. Standard library only.

lock              held by the supervisor of the home's helpers; contains its process id
<name>.address    host:port of a helper, or of the web workers, while it answers
greeting          what the terminal shows once the port listens; written by `prepare`
host.id           names this home where several hosts share a database
wake              its time of change is the last request to start the document worker
"""

import contextlib
import fcntl
import os
import pwd
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from chatapp.child import is_running
from chatapp.settings import Settings

CHROMA = "chroma"
EMBEDDER = "embedder"
WEB = "web"
UNIX = "unix:"
ALL_INTERFACES = ("0.0.0.0", "[::]")
LOCK_SECONDS = 10  # for the last processes of a killed service to end
RETRY_SECONDS = 0.25
HOST_ID_CHARACTERS = 16
PRIVATE = 0o077  # the umask of all our processes: only their user can access what they create
# What is in a home folder, as patterns. A home may be an existing folder that holds other files.
OURS = (
    "chatapp.db*", "backups", "restore-part", "originals", "images", "pages", "vectors", "metrics",
    "stops", "secret.key", "token", "lock", "migrate.lock", "chroma.*", "embedder.*", "web.address",
    "greeting", "wake", "start.log", "ocr.lock", "host.id",
)  # fmt: skip
MODELS = Path(__file__).parent.parent / "models"
# The built-in embedding models that set-up makes or has made; the first one that is there is used.
MODEL_FOLDERS = (MODELS / "multilingual-e5-small-int8", MODELS / "all-MiniLM-L6-v2-int8")

RECOGNITION_FOLDER = MODELS / "pp-ocrv6-small"  # the models of text recognition


class HomeTaken(Exception):
    """Another process holds the lock."""

    def __init__(self, pid: str) -> None:
        super().__init__(pid)
        self.pid = pid


def keep_private() -> None:
    """Set the umask of this process and of those that it starts."""
    os.umask(PRIVATE)


def tighten(settings: Settings) -> None:
    """Remove other users' access to files that were created with a wider umask."""
    database = settings.sqlite_file
    files = [*database.parent.glob(f"{database.name}*")] if database is not None else []
    for path in (*files, *(path for pattern in OURS for path in settings.home.glob(pattern))):
        with contextlib.suppress(OSError):  # another owner's, or a read-only disk
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & PRIVATE:
                path.chmod(mode & ~PRIVATE)


def why_unwritable(home: Path) -> tuple[str, dict[str, str]] | None:
    """Return the key of a sentence and its parameters if this process may not write the home.

    To root, all files must belong to root or to the owner of the home, who may run the service.
    """
    place = next(each for each in (home, *home.parents) if os.path.exists(each))
    if not place.is_dir():
        return "home_unwritable", {"home": str(home)}
    if os.statvfs(place).f_flag & os.ST_RDONLY:
        return "home_read_only", {"home": str(home)}
    user, owners = os.geteuid(), (0, place.stat().st_uid)
    for path in (place, *(_contents(home) if place == home else ())):
        try:
            owner = path.lstat().st_uid
        except FileNotFoundError:  # SQLite deletes its files beside the database
            continue
        needed = os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0)
        if os.access(path, needed) and (user != 0 or owner in owners):
            continue
        if not os.path.lexists(path):
            continue
        known = {"home": str(home), "path": str(path), "user": user_name(user)}
        if owner != user:
            return "home_owner", {**known, "owner": user_name(owner)}
        return "home_mode", known
    return None


def _contents(home: Path) -> Iterator[Path]:
    """Yield what the service has made in its home, the folders' contents too."""
    for path in (each for pattern in OURS for each in home.glob(pattern)):
        yield path
        if path.is_dir() and os.access(path, os.R_OK | os.X_OK):
            yield from path.iterdir()


def user_name(number: int) -> str:
    """Return the name of a user of the system, or the number if it has none."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def take_lock(home: Path) -> IO[str]:
    """Lock the home folder, which is made if needed; raise HomeTaken or OSError.

    The lock lasts until the file and every inherited copy of it are closed. If the holder has
    ended, this waits for its remaining processes to end too.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    deadline = time.monotonic() + LOCK_SECONDS
    while (lock := try_lock(home / "lock", os.getpid())) is None:
        holder = (home / "lock").read_text("ascii").strip()
        runs = holder.isdigit() and int(holder) != os.getpid() and is_running(int(holder))
        if runs or time.monotonic() > deadline:
            raise HomeTaken(holder)
        time.sleep(RETRY_SECONDS)
    return lock


def try_lock(file: Path, pid: int | None) -> IO[str] | None:
    """Lock a file and write the holder's process id into it; return None if it is locked."""
    lock = open(file, "a+", encoding="ascii")  # noqa: SIM115  the caller holds it
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    lock.truncate(0)
    if pid is not None:
        lock.write(str(pid))
        lock.flush()
    return lock


def helpers_run(home: Path) -> bool:
    """Return whether a supervisor runs this home's helpers."""
    try:
        with open(home / "lock", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def url(settings: Settings, name: str) -> str | None:
    """Return the URL of a helper, "http://127.0.0.1:4711"; None while it does not run."""
    if name == CHROMA and settings.chroma_url:
        return settings.chroma_url
    found = address(settings.home, name)
    return f"http://{found}" if found else None


def address(home: Path, name: str) -> str | None:
    """Return "127.0.0.1:4711", None while it does not run. It changes at every start."""
    try:
        return (home / f"{name}.address").read_text("ascii").strip() or None
    except OSError:
        return None


def write_address(home: Path, name: str, found: str) -> None:
    """Write an address; readers see the old one or the new one, never a part."""
    new = home / f"{name}.address.new"
    new.write_text(f"{found}\n", "ascii")
    os.replace(new, home / f"{name}.address")


def remove_address(home: Path, name: str) -> None:
    """Remove the address of a process that has ended."""
    with contextlib.suppress(FileNotFoundError):
        (home / f"{name}.address").unlink()


def running(home: Path) -> str | None:
    """Return the web workers' address; None if nothing runs (a killed service leaves the file)."""
    return address(home, WEB) if helpers_run(home) else None


def url_of(address: str) -> str:
    """Return the URL at which a listening address is reached from this machine.

    Of a Unix socket it is the URL that a client uses once it is told the socket's path.
    """
    if address.startswith(UNIX):
        return "http://localhost"
    host, _, port = address.rpartition(":")
    return f"http://{'127.0.0.1' if host in ALL_INTERFACES else host}:{port}"


def write_greeting(home: Path, text: str) -> None:
    """Store what the terminal shows once the port listens. It may hold a sign-in link: 0600."""
    (home / "greeting").unlink(missing_ok=True)
    descriptor = os.open(home / "greeting", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def take_greeting(home: Path) -> str:
    """Return the greeting once; empty when it has been taken."""
    file = home / "greeting"
    try:
        text = file.read_text("utf-8")
        file.unlink()
    except OSError:
        return ""
    return text


def host_id(home: Path) -> str:
    """Return the id of this home, by which hosts that share a database are told apart."""
    file = home / "host.id"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if known := file.read_text("ascii").strip()[:HOST_ID_CHARACTERS]:
            return known
    made = os.urandom(HOST_ID_CHARACTERS // 2).hex()
    with contextlib.suppress(OSError):  # a full or read-only disk: it has another id next time
        file.write_text(f"{made}\n", "ascii")
    return made


def has_greeting(home: Path) -> bool:
    """Return whether the greeting is still there: then nothing listens yet."""
    return (home / "greeting").exists()


def model_folder() -> Path | None:
    """Return the folder of the built-in embedding model, None if set-up has not made it."""
    return next((each for each in MODEL_FOLDERS if (each / "model.json").is_file()), None)


def wake(home: Path) -> None:
    """Start the document worker soon, or make it look for files."""
    with contextlib.suppress(OSError):  # a full disk, before the first time
        (home / "wake").touch()
