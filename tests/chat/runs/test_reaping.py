"""Only who shows no life while all others could is given up."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import TypeVar

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session as Transaction

from chatapp.chains.http.read_delay import ReadDelay
from chatapp.chat.runs import runs as module
from chatapp.chat.runs.runs import REAP_SECONDS, STALE_SECONDS, Runs
from chatapp.errors import DatabaseBusy
from chatapp.identity.accounts import Accounts
from chatapp.settings import Settings
from chatapp.storage.database import Database, open_database
from chatapp.storage.models import Message
from tests.support.live_answers import begin

T = TypeVar("T")


class Unreachable(Database):
    """A database that is away for a while."""

    away = False

    def read(self, fn: Callable[[Transaction], T]) -> T:
        if self.away:
            raise DatabaseBusy
        return super().read(fn)


class Watch:
    """A worker that looks for lost answers, at a time that passes when we say so."""

    def __init__(self, database: Unreachable, settings: Settings) -> None:
        self.database = database
        self.now = 1000.0
        self.runs = Runs(database, settings, ReadDelay())
        self.message_id = begin(database, owner="another:worker").message_id

    def look(self, seconds: float) -> None:
        """Look again and again for so many seconds."""
        until = self.now + seconds
        while self.now < until:
            self.now += REAP_SECONDS
            try:
                self.runs._reap()
            except DatabaseBusy:
                continue

    @property
    def status(self) -> str:
        query = select(Message.status).where(Message.id == self.message_id)
        return str(Database(self.database.engine).read(lambda t: t.scalars(query).one()))


@pytest.fixture
def watch(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    opened = open_database(settings.sql_url)
    Accounts(opened).ensure_admin("", "a-token-of-the-tests")
    made = Watch(Unreachable(opened.engine), settings)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: made.now))
    yield made
    opened.close()


def test_an_answer_without_a_sign_of_life_is_given_up(watch: Watch) -> None:
    watch.look(STALE_SECONDS - REAP_SECONDS)
    assert watch.status == "running"
    watch.look(2 * REAP_SECONDS)
    assert watch.status == "interrupted"


def test_nobody_is_given_up_for_an_outage_of_the_database(watch: Watch) -> None:
    watch.look(STALE_SECONDS - REAP_SECONDS)
    watch.database.away = True
    watch.look(2 * STALE_SECONDS)
    watch.database.away = False
    watch.look(STALE_SECONDS - REAP_SECONDS)
    assert watch.status == "running"
    watch.look(2 * REAP_SECONDS)
    assert watch.status == "interrupted"


def test_nobody_is_given_up_for_a_pause_of_the_one_who_looks(watch: Watch) -> None:
    watch.look(STALE_SECONDS - REAP_SECONDS)
    watch.now += 2 * STALE_SECONDS
    watch.look(STALE_SECONDS - REAP_SECONDS)
    assert watch.status == "running"
