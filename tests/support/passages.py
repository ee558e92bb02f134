"""A passage for tests of chains."""

from typing import Any

from chatapp.core.prompt import Passage


def passage(**changes: Any) -> Passage:
    values = {
        "chunk_id": 7,
        "knowledge_base_id": "k",
        "file_id": "f",
        "md5": "m",
        "name": "leave.pdf",
        "page": 3,
        "heading": "Leave",
        "start": 10,
        "end": 20,
        "text": "25 days",
        "score": 0.9,
        "quote": "25",
    }
    return Passage(**{**values, **changes})
