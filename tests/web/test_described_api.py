"""Made-up calls of every operation get answers as /openapi.json describes them."""

import pytest
from flask import Flask

from chatapp.storage.models import User, new_id
from chatapp.web.services import Services
from tests.support.administrator import TOKEN
from tests.support.described_api import call_all

SEED = 20261129
PASSWORDS = {"POST /api/auth/login", "PUT /api/auth/password"}
EXAMPLES = 1  # of each operation; `make soak` calls more


@pytest.mark.filterwarnings("default")  # of Schemathesis and what it imports
@pytest.mark.parametrize(
    ("role", "which"), [("admin", slice(0, None, 2)), ("user", slice(1, None, 2))]
)
def test_answers_are_as_described(app: Flask, services: Services, role: str, which: slice) -> None:
    """Each role calls half of the operations; `make soak` calls all as both."""
    token = TOKEN
    if role == "user":
        member = new_id()
        services.database.write(lambda t: t.add(User(id=member, name="member", role="user")))
        token = services.accounts.tokens.issue(member, "personal", None, "of a test")
    statuses = call_all(app, token, EXAMPLES, SEED, which=which)
    assert {label for label, status in statuses if status == 401} <= PASSWORDS
    if role == "user":
        assert any(status == 403 for _, status in statuses)
