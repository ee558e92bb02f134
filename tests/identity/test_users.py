"""Accounts on both databases: the last administrator, and changes at the same time."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from chatapp.errors import ChatAppError, Forbidden, InvalidRequest
from chatapp.identity.accounts import Accounts
from chatapp.identity.users import Users
from chatapp.storage.database import Database
from tests.support.postgres import BOTH, empty_database


@pytest.fixture(params=BOTH)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    with empty_database(request, tmp_path) as made:
        yield made


@pytest.fixture
def users(database: Database) -> Users:
    Accounts(database).ensure_admin("", "a-token-of-the-tests")
    return Users(database)


def at_once(*calls: Callable[[], Any]) -> list[ChatAppError | None]:
    """Make calls in threads; return what each was refused with."""

    def refused(call: Callable[[], Any]) -> ChatAppError | None:
        try:
            call()
        except ChatAppError as error:
            return error
        return None

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(refused, calls))


def test_two_administrators_cannot_remove_each_other_at_once(users: Users) -> None:
    names = ["admin", *(users.add(f"Ada {n}", "admin")["name"] for n in range(3))]
    ends = [
        lambda: users.set_role(names[0], "user"),
        lambda: users.set_disabled(names[1], True),
        lambda: users.delete(names[2]),
        lambda: users.set_role(names[3], "user"),
    ]
    refused = [error for error in at_once(*ends) if error is not None]
    assert len(refused) == 1 and isinstance(refused[0], Forbidden)
    assert refused[0].detail == "last_admin"
    left = [each for each in users.all() if each["role"] == "admin" and not each["disabled"]]
    assert len(left) == 1


def test_a_name_is_given_once(users: Users) -> None:
    refused = at_once(*(lambda: users.add("Ada") for _ in range(4)))
    assert [error is None for error in refused].count(True) == 1
    assert all(isinstance(error, InvalidRequest) for error in refused if error)


def test_an_account_is_found_by_id_and_by_name(users: Users) -> None:
    ada, unnamed = users.add("Ada"), users.add(None)
    assert users.get("Ada")["id"] == users.get(ada["id"])["id"] == ada["id"]
    assert users.get(unnamed["id"])["name"] is None
    assert [each["status"] for each in users.all()] == ["invited"] * 3
    assert users.new_link("Ada") and users.get("Ada")["link_expires_at"]
