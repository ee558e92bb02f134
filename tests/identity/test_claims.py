"""Which claims of a provider admit a person, and the name of an account."""

from typing import Any

import pytest

from chatapp.identity.claims import account_name, matches

MAIL = {"email": "Ada@Example.org", "email_verified": True}


@pytest.mark.parametrize(
    ("rule", "claims", "applies"),
    [
        ("example.org", MAIL, True),
        ("@example.org", MAIL, True),
        ("ada@example.org", MAIL, True),
        ("ADA@EXAMPLE.ORG", MAIL, True),
        ("bob@example.org", MAIL, False),
        ("ample.org", MAIL, False),
        ("org", MAIL, False),
        ("example.org", MAIL | {"email_verified": False}, False),
        ("example.org", MAIL | {"email_verified": "true"}, False),
        ("example.org", {"email": "ada@example.org"}, False),
        (
            "example.org",
            {"email": "a@evil.com@example.org.evil.com", "email_verified": True},
            False,
        ),
        ("groups=chat", {"groups": ["staff", "chat"]}, True),
        ("groups=chat", {"groups": "chat"}, True),
        ("groups=chat", {"groups": "chatters"}, False),
        ("groups=chat", {}, False),
        ("groups=None", {}, False),
        ("realm_access.roles=chat", {"realm_access": {"roles": ["chat"]}}, True),
        ("realm_access.roles=chat", {"realm_access": ["chat"]}, False),
        ("https://example.org/roles=a=b", {"https://example.org/roles": ["a=b"]}, True),
    ],
)
def test_a_rule_applies_to_verified_addresses_and_to_values_of_claims(
    rule: str, claims: dict[str, Any], applies: bool
) -> None:
    assert matches([rule], claims) is applies
    assert matches(["nobody=x", rule], claims) is applies
    assert not matches([], claims)


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"sub": "1", "preferred_username": " ada \n", "name": "Ada Lovelace"}, "ada"),
        ({"sub": "1", "email": "ada@example.org", "name": "Ada"}, "ada@example.org"),
        ({"sub": "1", "name": "张三"}, "张三"),
        ({"sub": "1", "preferred_username": "\u202e\x00"}, "1"),
        ({"sub": "1", "name": "x" * 300}, "x" * 74),
    ],
)
def test_an_account_is_named_as_its_person(claims: dict[str, Any], name: str) -> None:
    assert account_name(claims, 74) == name
