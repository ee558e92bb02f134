"""The database's clock, for leases: hosts that share a database need not agree on the time.

On SQLite it is this machine's clock. Values look as those of `models.now`: UTC, without zone.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, Float, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class database_time(FunctionElement[datetime]):  # noqa: N801 - used like an SQL function
    """The time at which the statement began, in so many seconds."""

    type = DateTime()
    inherit_cache = True

    def __init__(self, seconds: float = 0) -> None:
        super().__init__(bindparam(None, float(seconds), type_=Float()))


@compiles(database_time, "sqlite")
def _on_sqlite(element: database_time, compiler: SQLCompiler, **options: Any) -> str:
    """Write it as SQLAlchemy stores a DateTime, with six digits: they are compared as text."""
    seconds = compiler.process(element.clauses, **options)
    return f"(strftime('%Y-%m-%d %H:%M:%f', 'now', {seconds} || ' seconds') || '000')"


@compiles(database_time, "postgresql")
def _on_postgresql(element: database_time, compiler: SQLCompiler, **options: Any) -> str:
    seconds = compiler.process(element.clauses, **options)
    return f"timezone('utc', statement_timestamp() + make_interval(secs => {seconds}))"
