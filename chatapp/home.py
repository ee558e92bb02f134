"""The two services beside the web workers, Chroma and the built-in embedder: which ones there should be, and where they are.

`chatapp.processes.supervisor` runs them and says in HOME/<name>.address where, from when one answers until it has ended; everybody else
reads that here. gunicorn.conf.py says so of the web workers themselves, for the terminal's commands. Standard library only,
and nothing is started or asked here.
"""

import contextlib
import fcntl
import os
import sys
from pathlib import Path

from chatapp.settings import BUILTIN, Settings

CHROMA = "chroma"
EMBEDDER = "embedder"
WEB = "web"
EVERYWHERE = ("0.0.0.0", "[::]")
HEALTH_PATHS = {CHROMA: "/api/v2/heartbeat", EMBEDDER: "/healthz"}  # 200 where all is well

RUN_CHROMA = (
    "import sys; from chromadb_rust_bindings import cli; cli(['chroma', 'run', *sys.argv[1:]])"
)
MODEL_FOLDER = Path(__file__).parent.parent / "models" / "all-MiniLM-L6-v2-int8"  # made at set-up


def expected(settings: Settings) -> tuple[str, ...]:
    """Return the names of the services that there should be, here or elsewhere."""
    embeds = settings.embedder == BUILTIN and model_folder() is not None
    return (CHROMA, EMBEDDER) if embeds else (CHROMA,)


def kept_here(settings: Settings) -> tuple[str, ...]:
    """Return the names of the services that `chatapp.processes.supervisor` runs."""
    return tuple(
        name for name in expected(settings) if not (name == CHROMA and settings.chroma_url)
    )


def helpers_run(home: Path) -> bool:
    """Tell whether some process looks after the helpers of this home folder: what does not answer now soon will."""
    try:
        with open(home / "lock", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def url(settings: Settings, name: str) -> str | None:
    """Return where a service is, "http://127.0.0.1:4711"; None while it does not run."""
    if name == CHROMA and settings.chroma_url:
        return settings.chroma_url
    found = address(settings.home, name)
    return f"http://{found}" if found else None


def address(home: Path, name: str) -> str | None:
    """Return "127.0.0.1:4711"; None while the service does not run. Another one after each start: read it anew on failure."""
    try:
        return (home / f"{name}.address").read_text("ascii").strip() or None
    except OSError:
        return None


def running(home: Path) -> str | None:
    """Return where the web workers of this home folder listen; None where none do: what a killed service left does not count."""
    return address(home, WEB) if helpers_run(home) else None


def url_of(address: str) -> str:
    """Return the URL at which a service that listens on an address is reached from this machine."""
    host, _, port = address.rpartition(":")
    return f"http://{'127.0.0.1' if host in EVERYWHERE else host}:{port}"


def command(name: str, home: Path, host: str, port: int) -> tuple[str, ...]:
    """Return the command that runs a service. Of Chroma, the server alone: the package around it costs 70 MB and 0.7 s."""
    if name == EMBEDDER:
        return (sys.executable, "-m", "chatapp.processes.embedder", f"{host}:{port}")
    return (
        sys.executable,
        "-c",
        RUN_CHROMA,
        "--path",
        str(home / "vectors"),
        "--host",
        host,
        "--port",
        str(port),
    )


def write_address(home: Path, name: str, found: str) -> None:
    """Say where a service is; readers see the old address or the new one, never a part."""
    half = home / f"{name}.address.new"
    half.write_text(f"{found}\n", "ascii")
    os.replace(half, home / f"{name}.address")


def remove_address(home: Path, name: str) -> None:
    """Say that a service is gone."""
    with contextlib.suppress(FileNotFoundError):
        (home / f"{name}.address").unlink()


def model_folder() -> Path | None:
    """Return the folder of the built-in embedding model, None where set-up has not made it."""
    return MODEL_FOLDER if (MODEL_FOLDER / "model.json").is_file() else None


def wake(home: Path) -> None:
    """Have the document worker look for something to do, soon."""
    (home / "wake").touch()
