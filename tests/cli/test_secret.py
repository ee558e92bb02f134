"""`secret`: comparing this host's key with the database's, and going on with another."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet
from sqlalchemy import select

from chatapp.chains.models import Models
from chatapp.chat.suppliers import Suppliers
from chatapp.cli.commands import commands
from chatapp.identity.accounts import Accounts
from chatapp.identity.secrets import Secret
from chatapp.identity.tokens import Device
from chatapp.settings import Settings
from chatapp.storage.database import open_database
from chatapp.storage.models import Supplier, Token
from tests.support.postgres import NEEDS_POSTGRES, new_database
from tests.support.service import ROOT


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home that was prepared once, with a supplier and somebody signed in."""
    settings = Settings(home=tmp_path)
    assert run(settings, "prepare").exit_code == 0
    database = open_database(settings.sql_url)
    supplier = {"name": "mine", "base_url": "http://127.0.0.1:9/v1"}
    options = {"headers": {"X-Key": "a secret"}, "vision": True}
    suppliers = Suppliers(database, settings, Secret.of(settings), Models(settings))
    suppliers.create({**supplier, "options": options}, "sk-mine")
    accounts = Accounts(database)
    accounts.tokens.new_login(accounts.administrator().id, Device("a browser"))
    database.close()
    return settings


def run(settings: Settings, *words: str, **variables: str) -> Result:
    environ = {"CHATAPP_HOME": str(settings.home), "CHATAPP_EMBEDDER": "off", "LC_ALL": "C"}
    return CliRunner().invoke(commands, list(words), env={**environ, **variables})


def rows(settings: Settings) -> tuple[list[str], Supplier]:
    """Return the kinds of the stored tokens, and the supplier."""
    database = open_database(settings.sql_url)
    try:
        return database.read(
            lambda t: (list(t.scalars(select(Token.kind))), t.scalars(select(Supplier)).one())
        )
    finally:
        database.close()


def test_the_key_of_this_host_is_compared(settings: Settings) -> None:
    same = run(settings, "secret")
    assert same.exit_code == 0 and f"{settings.home}/secret.key" in same.stdout
    shown = json.loads(run(settings, "secret", "--json").stdout)
    assert shown["here"] == shown["database"]
    other = run(settings, "secret", CHATAPP_SECRET_KEY=Fernet.generate_key().decode())
    assert other.exit_code == 1 and "CHATAPP_SECRET_KEY" in other.stderr


@pytest.mark.parametrize("damage", ["lost", "damaged", "unchanged"])
def test_a_home_whose_key_is_gone_starts_again_without_keys_and_sign_ins(
    settings: Settings, damage: str
) -> None:
    file = settings.home / "secret.key"
    before = file.read_bytes()
    file.unlink() if damage == "lost" else None
    file.write_text("changeme") if damage == "damaged" else None
    assert run(settings, "prepare").exit_code == (0 if damage == "unchanged" else 1)
    assert "login" in rows(settings)[0]
    asked = run(settings, "secret", "--replace")
    assert asked.exit_code == 1 and "--yes" in asked.stderr
    done = run(settings, "secret", "--replace", "--yes")
    assert done.exit_code == 0, done.output
    assert file.read_bytes() != before and file.stat().st_mode & 0o777 == 0o600
    kinds, supplier = rows(settings)
    assert "login" not in kinds and "terminal" in kinds
    assert supplier.key is None and supplier.options == {"vision": True}
    assert run(settings, "prepare").exit_code == 0


@NEEDS_POSTGRES
def test_the_key_is_not_replaced_under_other_hosts(settings: Settings, postgres: str) -> None:
    """They would store keys of suppliers that nobody can decrypt."""
    url = new_database(postgres, "hosts")

    def outcome(key: str, *words: str) -> tuple[int, str]:
        environ = {
            "CHATAPP_HOME": str(settings.home),
            "CHATAPP_ENV_FILE": os.devnull,
            "LC_ALL": "C",
        }
        done = subprocess.run(
            [sys.executable, "-m", "chatapp", *words],
            cwd=ROOT,
            env=environ | {"DATABASE_URL": url, "CHATAPP_SECRET_KEY": key},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stderr

    first, second = (Fernet.generate_key().decode() for _ in range(2))
    assert outcome(first, "prepare")[0] == 0
    with psycopg.connect(url.replace("+psycopg", "")):
        status, said = outcome(second, "secret", "--replace", "--yes")
    assert status == 1 and "1 other connections" in said
    assert outcome(second, "secret", "--replace", "--yes")[0] == 0


def test_another_key_is_adopted_from_the_environment(settings: Settings) -> None:
    key = {"CHATAPP_SECRET_KEY": Fernet.generate_key().decode()}
    assert run(settings, "prepare", **key).exit_code == 1
    assert run(settings, "secret", "--replace", "--yes", **key).exit_code == 0
    assert run(settings, "prepare", **key).exit_code == 0
    again = run(settings, "secret", "--replace", "--yes", **key)
    assert again.exit_code == 1 and "set that first" in again.stderr
    assert run(settings, "prepare").exit_code == 1  # secret.key is not the database's any more
