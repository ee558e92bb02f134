"""A log line for each slow SQL statement: its text without values, and how long it took."""

import logging
import time
from typing import Any

from sqlalchemy import Connection, Engine, event

log = logging.getLogger("chatapp.storage")

MOST_CHARACTERS = 500
_BEGAN = "chatapp_began"


def log_slow_statements(engine: Engine, limit_ms: int) -> None:
    """Log statements that take so long or longer; 0 logs none."""
    if not limit_ms:
        return

    @event.listens_for(engine, "before_cursor_execute")
    def _begin(connection: Connection, *_: Any) -> None:
        connection.info[_BEGAN] = time.monotonic()

    @event.listens_for(engine, "after_cursor_execute")
    def _end(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        took = (time.monotonic() - connection.info[_BEGAN]) * 1000
        if took >= limit_ms:
            log.warning("slow statement ms=%d: %s", took, shortened(statement))


def shortened(statement: str) -> str:
    """Return a statement in one line of limited length."""
    line = " ".join(statement.split())
    return line if len(line) <= MOST_CHARACTERS else f"{line[:MOST_CHARACTERS]}…"
