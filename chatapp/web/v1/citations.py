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


def annotations(
    text: str, sources: Sequence[Json], address: str, language: str
) -> list[dict[str, Any]]:
    """Return an annotation for each place of a text that cites a source, by the source's number.

    Clients count the addresses of annotations to find the one that a number means. So each source
    has an address of its own, and those before the last cited one that are not cited have an
    annotation of nothing, behind the text.
    """
    places: dict[int, list[tuple[int, int]]] = {source["n"]: [] for source in sources}
    for number, start, end in citations(text):
        if number in places:
            places[number].append((start, end))
    last = max((number for number, found in places.items() if found), default=0)
    shown = [source for source in sources if source["n"] <= last]
    return [
        {
            "type": "url_citation",
            "url_citation": {"start_index": start, "end_index": end, "url": url}
            | _source_json(source, language),
        }
        for source, url in zip(shown, _addresses(shown, address), strict=True)
        for start, end in places[source["n"]] or [(len(text), len(text))]
    ]


def listed(cited: Sequence[Json], language: str) -> str:
    """Return a list of sources in Markdown, to be put behind a text; empty without any."""
    if not cited:
        return ""
    lines = [f"[{source['n']}] {_title(source, language)}" for source in cited]
    return "\n\n".join(["", say(language, "server.v1.sources"), "  \n".join(lines)])


def _addresses(sources: Sequence[Json], address: str) -> list[str]:
    """Return where each source is; one of several on the same page has its number in it."""
    found: list[str] = []
    for source in sources:
        place = f"knowledge/{source['knowledge_base_id']}/files/{source['file_id']}/content"
        url = source.get("url") or f"{address}/api/{place}"
        if source["page"]:
            url += f"#page={source['page']}"
        if url in found:
            url += f"{'&' if '#' in url else '#'}passage={source['n']}"
        found.append(url)
    return found


def _source_json(source: Json, language: str) -> dict[str, Any]:
    return {
        "title": _title(source, language),
        "number": source["n"],
        "knowledge_base_id": source["knowledge_base_id"],
        "file_id": source["file_id"],
        "filename": source["name"],
        "page": source["page"],
        "quote": (source["quote"] or source["text"])[:QUOTE_CHARACTERS],
    }


def _title(source: Json, language: str) -> str:
    if not source["page"]:
        return str(source["name"])
    return say(language, "server.v1.source", {"name": source["name"], "page": source["page"]})
