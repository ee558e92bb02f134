"""An SQL function: rows as one JSON object, `SELECT json_object(name, value) FROM ...`."""

from typing import Any

from sqlalchemy import JSON
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction


class json_object(GenericFunction[Any]):
    """An aggregate of two columns; null without rows."""

    type = JSON()
    inherit_cache = True


@compiles(json_object, "sqlite")
def _on_sqlite(element: json_object, compiler: SQLCompiler, **options: Any) -> str:
    # An aggregate without rows is {} there, and not null.
    arguments = compiler.process(element.clause_expr, **options)
    return f"CASE count(*) WHEN 0 THEN NULL ELSE json_group_object{arguments} END"


@compiles(json_object, "postgresql")
def _on_postgresql(element: json_object, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_object_agg{compiler.process(element.clause_expr, **options)}"
