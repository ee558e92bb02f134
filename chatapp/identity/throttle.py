"""Throttle attempts at passwords per name, per client address and per known browser.

Counts are rows of the database, so all workers and hosts agree. An attempt is counted before its
password is checked, so that parallel ones count too; a refused one is not counted and writes
nothing. After a few free attempts each further one is followed by a pause that doubles up to a
limit.

A browser that has signed in to an account holds a secret of it and is counted alone: whoever tries
passwords for a name, or from an address that many people share, cannot lock its owner out.
"""

import hashlib
import itertools
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_network
from math import ceil

from sqlalchemy import delete, select
from sqlalchemy.orm import Session as Transaction

from chatapp.addresses import parse_address
from chatapp.identity.refusals import TooManyAttempts
from chatapp.storage.database import Database
from chatapp.storage.models import now
from chatapp.storage.sign_in_models import Attempts

FIRST_PAUSE_SECONDS = 5
FORGET_SECONDS = 3600  # after the last attempt
KNOWN_DAYS = 90  # a browser, since it last signed in
IPV6_PREFIX = 64  # what one customer of a provider usually has
MOST_ROWS = 50_000  # the ones that expire first are dropped
PRUNE_EVERY = 100  # attempts of this process
LOCK = "attempts"


@dataclass(frozen=True, slots=True)
class Limit:
    """How many attempts are free, and the longest pause after further ones."""

    free: int
    longest_seconds: int

    def pause(self, count: int) -> timedelta:
        """Return the pause after so many attempts."""
        if count < self.free:
            return timedelta()
        doublings = min(count - self.free, 16)
        return timedelta(seconds=min(FIRST_PAUSE_SECONDS << doublings, self.longest_seconds))


ACCOUNT = Limit(free=5, longest_seconds=60)
ADDRESS = Limit(free=20, longest_seconds=600)


class Throttle:
    """Counts attempts in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counted = itertools.count(1)

    def count_sign_in(self, name: str, client: str, browser: str) -> None:
        """Count an attempt for a name; raise TooManyAttempts if it comes too soon."""
        known = _key("browser", name, browser)
        if browser and self._database.read(lambda t: _rows(t, [known])):
            self._count({known: ACCOUNT})
        else:
            self._count({_key("name", name): ACCOUNT, _key("address", _network(client)): ADDRESS})

    def count_check(self, user_id: str) -> None:
        """Count an attempt of a signed-in user at their own password; raise TooManyAttempts."""
        self._count({_key("user", user_id): ACCOUNT})

    def check_succeeded(self, user_id: str) -> None:
        """Forget the attempts of a signed-in user."""
        self._database.write_deletion(lambda t: _forget(t, [_key("user", user_id)]))

    def sign_in_succeeded(self, name: str, client: str, browser: str) -> str:
        """Forget the attempts for a name; return the secret by which its browser is known."""
        address = _key("address", _network(client))
        secret = browser or secrets.token_urlsafe(32)
        known = _key("browser", name, secret)

        def save(t: Transaction) -> None:
            self._database.advisory_lock(t, LOCK)
            rows = _rows(t, [known, address])
            if known not in rows:
                _forget(t, [_key("name", name)])
                # The others stay: an attacker may have an account too.
                if (row := rows.get(address)) is not None:
                    row.count, row.blocked_until = max(0, row.count - 1), now()
            expires_at = now() + timedelta(days=KNOWN_DAYS)
            t.merge(Attempts(key=known, count=0, blocked_until=now(), expires_at=expires_at))

        self._database.write_deletion(save)
        return secret

    def _count(self, limits: Mapping[str, Limit]) -> None:
        self._database.read(lambda t: _refuse(_rows(t, limits).values()))
        prune = next(self._counted) % PRUNE_EVERY == 0

        def save(t: Transaction) -> None:
            self._database.advisory_lock(t, LOCK)
            rows = _rows(t, limits)
            _refuse(rows.values())
            for key, limit in limits.items():
                row = rows.get(key)
                count = row.count + 1 if row else 1
                end = now() + timedelta(seconds=FORGET_SECONDS)
                made = Attempts(
                    key=key, count=count, blocked_until=now() + limit.pause(count), expires_at=end
                )
                if row and row.expires_at > end:  # a known browser
                    made.expires_at = row.expires_at
                t.merge(made)
            _prune(t, MOST_ROWS if prune else None)

        self._database.write_deletion(save)


def _rows(t: Transaction, keys: Iterable[str]) -> dict[str, Attempts]:
    query = select(Attempts).where(Attempts.key.in_(list(keys)), Attempts.expires_at > now())
    return {row.key: row for row in t.scalars(query)}


def _refuse(rows: Iterable[Attempts]) -> None:
    blocked_until = max((row.blocked_until for row in rows), default=datetime.min)
    if (wait := (blocked_until - now()).total_seconds()) > 0:
        raise TooManyAttempts(ceil(wait))


def _forget(t: Transaction, keys: list[str]) -> None:
    t.execute(delete(Attempts).where(Attempts.key.in_(keys)))


def _prune(t: Transaction, most: int | None) -> None:
    t.execute(delete(Attempts).where(Attempts.expires_at < now()))
    if most is None:
        return
    last = select(Attempts.expires_at).order_by(Attempts.expires_at.desc()).offset(most).limit(1)
    if (limit := t.scalar(last)) is not None:
        t.execute(delete(Attempts).where(Attempts.expires_at <= limit))


def _key(kind: str, *values: str) -> str:
    """Return the key of a row. Names are hashed: people type their password there."""
    return hashlib.sha256("\0".join([kind, *values]).casefold().encode()).hexdigest()


def _network(client: str) -> str:
    """Return what counts as one address: for IPv6 its network."""
    address = parse_address(client)
    if address is None or address.version == 4:
        return str(address or client)
    return str(ip_network((address, IPV6_PREFIX), strict=False))
