"""The sign-in link of a start: in a terminal, and in a journal until someone has signed in."""

import os
import pty
import subprocess
import sys
from pathlib import Path

from chatapp.identity.accounts import Accounts
from chatapp.identity.tokens import Device
from chatapp.storage.database import open_database

ROOT = Path(__file__).parents[2]
LINK = "/sign-in#"


def greeting(home: Path, stdout: int = subprocess.DEVNULL) -> str:
    """Prepare a start whose output goes there, and return what it prints."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "CHATAPP_HOME": str(home),
        "CHATAPP_ENV_FILE": os.devnull,
    }
    command = [sys.executable, "-m", "chatapp", "prepare", "--greet", "127.0.0.1:8000"]
    subprocess.run(command, cwd=ROOT, env=environ, stdout=stdout, check=True)
    return (home / "greeting").read_text("utf-8")


def sign_in(home: Path, printed: str) -> None:
    database = open_database(f"sqlite:///{home / 'chatapp.db'}")
    secret = printed.partition(LINK)[2].split()[0]
    Accounts(database).use_link(secret, Device("Firefox", "127.0.0.1"))
    database.close()


def test_a_journal_gets_a_link_only_until_someone_has_signed_in(tmp_path: Path) -> None:
    first = greeting(tmp_path)
    assert LINK in first
    again = greeting(tmp_path)
    assert LINK in again
    sign_in(tmp_path, again)
    later = greeting(tmp_path)
    assert LINK not in later and "python -m chatapp link" in later
    ours, theirs = pty.openpty()
    try:
        assert LINK in greeting(tmp_path, theirs)
    finally:
        os.close(ours)
        os.close(theirs)
