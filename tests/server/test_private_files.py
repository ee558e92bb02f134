"""What the service stores is readable by its own user only, whatever the umask."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.service import APP, GUNICORN, PATIENCE_SECONDS, Service
from tests.support.terminal import environ, start

pytestmark = pytest.mark.server
OPEN_TO_OTHERS = 0o077
BUILTIN = {"llm_config": {"supplier": "builtin"}}
# What the tests themselves put there.
NOT_OURS = {"notes.txt"}


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder that existed before the first start, with another file in it."""
    made = tmp_path / "home"
    made.mkdir()
    (made / "notes.txt").write_text("not ours")
    return made


def open_to_others(home: Path) -> dict[str, str]:
    """Return what other users may reach, by its path in the home."""
    modes = {path.relative_to(home).as_posix(): path.lstat().st_mode for path in home.rglob("*")}
    return {
        path: oct(stat.S_IMODE(mode))
        for path, mode in modes.items()
        if not stat.S_ISSOCK(mode) and mode & OPEN_TO_OTHERS and path not in NOT_OURS
    }


def use(service: Service, document: Path) -> None:
    document.write_text("Employees get 27 days of paid leave.")
    service.add_documents("Handbook", document)
    assert service.post("/chat", {"question": "leave?", **BUILTIN}).status == 200


@pytest.mark.parametrize("command", [GUNICORN, APP], ids=["gunicorn", "app.py"])
def test_nothing_of_a_home_is_readable_by_others(
    home: Path, command: tuple[str, ...], tmp_path: Path
) -> None:
    with Service(home, command=command) as service:
        use(service, tmp_path / "leave.txt")
        assert open_to_others(home) == {}


def test_a_start_corrects_what_an_earlier_version_left_readable(home: Path, tmp_path: Path) -> None:
    with Service(home) as service:
        use(service, tmp_path / "leave.txt")
    for path in home.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    with Service(home):
        entries = {path.name for path in home.iterdir()} - {".cache"}  # of a library, in $HOME
        assert {"originals", "vectors", "chatapp.db"} <= entries
        assert not open_to_others(home).keys() & entries
        assert (home / "notes.txt").stat().st_mode & OPEN_TO_OTHERS == 0o044
        assert home.stat().st_mode & OPEN_TO_OTHERS == 0o055, "it may hold other files"


def test_a_command_makes_private_files_too(home: Path) -> None:
    service = Service(home)
    _, errors = start(environ(service), "prepare").communicate(timeout=PATIENCE_SECONDS)
    assert (home / "chatapp.db").exists(), errors
    assert open_to_others(home) == {}
