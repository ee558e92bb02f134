"""The sources of an answer as OpenAI's annotations, or as a list at the end of its text.

A citation of a document is a `url_citation` too, with further fields: clients that check the shape
of annotations know no other kind.
"""

from collections.abc import Sequence
from typing import Any

from chatapp.core.events import Json
from chatapp.core.prompt import citations
from chatapp.i18n import say

QUOTE_CHARACTERS = 300


def annotations(text: str, cited: Sequence[Json], address: str) -> list[dict[str, Any]]:
    """Return an annotation for each place of a text that cites one of these sources."""
    by_number = {source["n"]: source for source in cited}
    return [
        {
            "type": "url_citation",
            "url_citation": {
                "start_index": start,
                "end_index": end,
                **_source_json(by_number[number], address),
            },
        }
        for number, start, end in citations(text)
        if number in by_number
    ]


def listed(cited: Sequence[Json], language: str) -> str:
    """Return a list of sources in Markdown, to be put behind a text; empty without any."""
    if not cited:
        return ""
    lines = [f"[{source['n']}] {_title(source, language)}" for source in cited]
    return "\n\n".join(["", say(language, "server.v1.sources"), "  \n".join(lines)])


def _source_json(source: Json, address: str) -> dict[str, Any]:
    page = source["page"]
    url = source.get("url") or (
        f"{address}/api/knowledge/{source['knowledge_base_id']}/files/{source['file_id']}/content"
        + (f"#page={page}" if page else "")
    )
    return {
        "url": url,
        "title": source["name"],
        "number": source["n"],
        "knowledge_base_id": source["knowledge_base_id"],
        "file_id": source["file_id"],
        "filename": source["name"],
        "page": page,
        "quote": (source["quote"] or source["text"])[:QUOTE_CHARACTERS],
    }


def _title(source: Json, language: str) -> str:
    if not source["page"]:
        return str(source["name"])
    return say(language, "server.v1.source", {"name": source["name"], "page": source["page"]})
