"""The command line against a real service, in this process where possible."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from chatapp.cli.commands import commands
from tests.support.service import Service
from tests.support.terminal import Run, environ


@pytest.fixture
def run(service: Service) -> Run:
    """Run a command in this process; variables by name, `input` as its standard input."""

    def go(*words: str, input: str | None = None, **variables: str) -> Result:
        done = CliRunner().invoke(
            commands, list(words), input=input, env=environ(service, **variables)
        )
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done

    return go


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of documents, with what is not one of them."""
    made = tmp_path / "documents"
    (made / "rules").mkdir(parents=True)
    (made / "leave.md").write_text("# Leave\n\nEvery employee gets 27 days of paid leave.\n")
    (made / "rules" / "keys.txt").write_text("Keys are kept in the red cabinet beside the door.\n")
    (made / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    (made / ".hidden.txt").write_text("hidden")
    (made / "empty.txt").write_text("")
    (made / "link.txt").symlink_to("/etc/hostname")
    return made
