"""`doctor` compares the connections that this host may open with PostgreSQL's limit."""

from pathlib import Path

from chatapp.cli.checks.connections import connections
from chatapp.cli.checks.finding import OK, WARN
from chatapp.settings import Settings
from tests.support.postgres import NEEDS_POSTGRES


@NEEDS_POSTGRES
def test_the_sum_over_processes_is_shown_and_compared(postgres: str, tmp_path: Path) -> None:
    def check(workers: int) -> tuple[str, str]:
        settings = Settings(
            home=tmp_path, database_url=postgres, workers=workers, database_connections=20
        )
        [found] = connections(settings)
        return found.state, found.message

    state, message = check(2)
    assert (state, "2 × 20" in message, " 50 " in message) == (OK, True, True)
    state, message = check(5)  # PostgreSQL's default is 100, of which 3 are an administrator's
    assert (state, " 110 " in message, " 97" in message) == (WARN, True, True)


def test_sqlite_has_no_such_limit(tmp_path: Path) -> None:
    assert not list(connections(Settings(home=tmp_path)))
