"""Databases that early commits really made, and rows for what their tables have."""

from pathlib import Path

from sqlalchemy import Engine, MetaData, Table, insert

from chatapp.storage.models import new_id, now

HOMES = sorted((Path(__file__).parents[1] / "fixtures" / "homes").glob("*.sql"))
USER, SESSION, QUESTION, ANSWER, BASE, FILE = (new_id() for _ in range(6))
ROWS = {
    "users": [{"id": USER, "name": "admin", "role": "admin", "disabled": False}],
    "sessions": [
        {
            "id": SESSION,
            "user_id": USER,
            "kind": "chat",
            "title": "Leave",
            "pinned": False,
            "supplier": "builtin",
            "model": "extractive",
            "knowledge_base_ids": [],
            "knowledge_options": {},
            "leaf_id": ANSWER,
            "updated_at": now(),
        }
    ],
    "messages": [
        {"id": QUESTION, "parent_id": None, "role": "user", "content": "How many days?"},
        {"id": ANSWER, "parent_id": QUESTION, "role": "assistant", "content": "27 days."},
    ],
    "knowledge_bases": [{"id": BASE, "user_id": USER, "name": "Handbook", "description": ""}],
    "files": [
        {
            "id": FILE,
            "knowledge_base_id": BASE,
            "name": "leave.txt",
            "md5": "0" * 32,
            "sha256": "0" * 64,
            "size": 10,
            "media_type": "text/plain",
            "status": "ready",
            "progress": 1.0,
        }
    ],
}
OF_MESSAGES = {
    "session_id": SESSION,
    "user_id": USER,
    "status": "complete",
    "knowledge": "extractive",
    "reasoning": "",
    "sources": [],
    "citations": [],
    "usage": {},
    "timings": {},
    "cut": {},
    "shape": [],
}
NUMBERS = {"chunks": 0, "tokens": 0, "changed": 0, "indexed": 0, "attempts": 0, "skipped": 0}


def add_rows(engine: Engine, name: str) -> None:
    """Insert the rows of a table, with the columns that this schema has."""
    table = Table(name, MetaData(), autoload_with=engine)
    common = {**NUMBERS, "created_at": now(), **(OF_MESSAGES if name == "messages" else {})}
    rows = [
        {key: value for key, value in (common | row).items() if key in table.c}
        for row in ROWS[name]
    ]
    with engine.begin() as connection:
        connection.execute(insert(table), rows)
