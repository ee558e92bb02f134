"""What a provider's claims say: who may sign in, who administers, and under which name.

A rule is a domain or address of an e-mail that the provider has verified, or `claim=value`: the
claim has this value or contains it. `realm_access.roles=chat` looks into an object.
"""

from collections.abc import Iterable, Mapping
from typing import Any

Claims = Mapping[str, Any]
PENDING_SECONDS = 600  # from the start of a sign-in to its end at the provider
NAMES = ("preferred_username", "email", "name", "sub")  # the first that is given


def matches(rules: Iterable[str], claims: Claims) -> bool:
    """Return whether one of the rules applies."""
    return any(_applies(rule, claims) for rule in rules)


def account_name(claims: Claims, most_characters: int) -> str:
    """Return a printable name for a new account."""
    for claim in NAMES:
        text = " ".join(str(claims.get(claim) or "").split())
        if name := "".join(filter(str.isprintable, text))[:most_characters].strip():
            return name
    raise ValueError("claims without sub")


def _applies(rule: str, claims: Claims) -> bool:
    claim, equals, value = rule.partition("=")
    if equals:
        found = _find(claim, claims)
        return value in map(_text, found if isinstance(found, list) else [found])
    # Anyone can enter an address at some providers: it has to be verified.
    email = str(claims.get("email") or "").casefold()
    if claims.get("email_verified") is not True or "@" not in email:
        return False
    domain, wanted = email.rpartition("@")[2], rule.casefold()
    return wanted == email if "@" in wanted[1:] else wanted.removeprefix("@") == domain


def _text(value: Any) -> str | None:
    """Return a value as a rule names it."""
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _find(claim: str, claims: Claims) -> Any:
    """Return a claim, whose name may contain dots, or one within objects."""
    if claim in claims:
        return claims[claim]
    found: Any = claims
    for part in claim.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
