"""Attempts at passwords and people of providers, on both databases."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chatapp.identity import throttle
from chatapp.identity.accounts import Accounts
from chatapp.identity.identities import Identities
from chatapp.identity.refusals import SignInRefused, TooManyAttempts
from chatapp.identity.throttle import ACCOUNT, ADDRESS, Throttle
from chatapp.identity.tokens import Device
from chatapp.identity.users import Users
from chatapp.settings import Settings
from chatapp.storage.database import Database
from tests.support.postgres import BOTH, empty_database

ISSUER = "https://id.example.org"
DEVICE = Device("Firefox", "192.0.2.9")


@pytest.fixture(params=BOTH)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with empty_database(request, tmp_path) as opened:
        yield opened


def identities(database: Database, **settings: tuple[str, ...]) -> Identities:
    return Identities(database, Settings(**settings), Accounts(database).tokens)  # type: ignore[arg-type]


def test_the_pause_grows_and_stays_short_for_a_name() -> None:
    pauses = [ACCOUNT.pause(count).total_seconds() for count in range(12)]
    assert pauses == [0] * 5 + [5, 10, 20, 40, 60, 60, 60]
    assert ADDRESS.pause(10_000).total_seconds() == 600


def test_no_more_attempts_than_are_free_pass_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "FIRST_PAUSE_SECONDS", 600)
    processes = [Throttle(database) for _ in range(2)]

    def attempt(number: int) -> bool:
        try:
            processes[number % 2].count_sign_in("Ada", f"192.0.2.{number}", "")
        except TooManyAttempts:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(attempt, range(20))) == ACCOUNT.free


def test_a_browser_that_signed_in_is_counted_by_itself(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "FIRST_PAUSE_SECONDS", 600)
    counts = Throttle(database)
    browser = counts.sign_in_succeeded("Ada", "192.0.2.1", "")
    for _ in range(ACCOUNT.free):
        counts.count_sign_in("Ada", "192.0.2.1", "")
    with pytest.raises(TooManyAttempts):
        counts.count_sign_in("Ada", "192.0.2.1", "")
    counts.count_sign_in("Ada", "192.0.2.1", browser)
    assert counts.sign_in_succeeded("Ada", "192.0.2.1", browser) == browser


def test_one_person_at_a_provider_is_one_account(database: Database) -> None:
    Users(database).add("ada")
    people = identities(database)

    def sign_in(sub: str) -> str:
        return people.sign_in(ISSUER, {"sub": sub, "preferred_username": "Ada"}, DEVICE)[0].id

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(sign_in, ["1", "1", "2", "2", "1"]))) == 2
    names = {user["name"] for user in Users(database).all()}
    assert names == {"ada", "Ada (2)", "Ada (3)"}
    other = people.sign_in("https://id.example.com", {"sub": "1", "name": "Ada"}, DEVICE)[0]
    assert other.name == "Ada (4)"
    for sub in ("x" * 256, "\0", "a\nb"):
        with pytest.raises(SignInRefused):
            people.sign_in(ISSUER, {"sub": sub}, DEVICE)


def test_a_deleted_account_is_created_again(database: Database) -> None:
    people = identities(database)
    first = people.sign_in(ISSUER, {"sub": "1", "name": "Ada"}, DEVICE)[0]
    assert people.is_linked(first.id)
    Users(database).delete(first.id)
    second = people.sign_in(ISSUER, {"sub": "1", "name": "Ada"}, DEVICE)[0]
    assert second.id != first.id and second.name == "Ada"


def test_the_last_administrator_stays_one(database: Database) -> None:
    admins = identities(database, oidc_admins=("groups=admins",))
    ada = {"sub": "1", "name": "Ada", "groups": ["admins"]}
    assert admins.sign_in(ISSUER, ada, DEVICE)[0].role == "admin"
    assert admins.sign_in(ISSUER, ada | {"groups": []}, DEVICE)[0].role == "admin"
    assert admins.sign_in(ISSUER, {"sub": "2", "name": "Bob", "groups": "admins"}, DEVICE)[
        0
    ].is_admin
    assert admins.sign_in(ISSUER, ada | {"groups": []}, DEVICE)[0].role == "user"
