"""The sources of an answer as annotations: places, addresses, and the order clients count on."""

from typing import Any

import pytest

from chatapp.web.v1.citations import annotations

ADDRESS = "http://localhost"


def source(number: int, name: str, page: int | None = None, url: str | None = None) -> Any:
    return {
        "n": number,
        "knowledge_base_id": "b",
        "file_id": name,
        "name": name,
        "page": page,
        "quote": "",
        "text": f"passage {number}",
        "url": url,
    }


def cited(text: str, *sources: Any) -> list[Any]:
    return [each["url_citation"] for each in annotations(text, sources, ADDRESS, "en")]


def counted(found: list[Any]) -> dict[int, str]:
    """Return the quote that a number leads to in a client that counts addresses (Open WebUI)."""
    first = {each["url"]: each for each in reversed(found)}
    ordered = dict.fromkeys(each["url"] for each in found)
    return {n: first[url]["quote"] for n, url in enumerate(ordered, 1)}


FILES = [source(n, f"{n}.txt") for n in range(1, 5)]
PAGES = [source(n, "a.pdf", page=2) for n in range(1, 4)]
WEB = [source(n, "page", url="https://example.org/leave") for n in range(1, 3)]


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        ("Sick [3] and travel [1].", FILES),
        ("Only in one [4].", FILES),
        ("All [1] [2] [3] of a page.", PAGES),
        ("Two [2][1] of a web page.", WEB),
        ("Twice [2], once [1], again [2].", FILES),
    ],
)
def test_counting_addresses_finds_the_source_of_each_number(text: str, sources: list[Any]) -> None:
    found = cited(text, *sources)
    led = counted(found)
    places = [(text[each["start_index"] : each["end_index"]], each) for each in found]
    shown = [(place, each) for place, each in places if place]
    assert shown and all(place == f"[{each['number']}]" for place, each in shown)
    assert all(led[each["number"]] == each["quote"] for _, each in shown)
    # Sources that are not cited stand behind the text, and only where the count needs them.
    assert len(led) == max(each["number"] for _, each in shown)


def test_each_source_has_one_address() -> None:
    urls = [each["url"] for each in cited("[1][2][3]", *PAGES)]
    assert urls == [
        "http://localhost/api/knowledge/b/files/a.pdf/content#page=2",
        "http://localhost/api/knowledge/b/files/a.pdf/content#page=2&passage=2",
        "http://localhost/api/knowledge/b/files/a.pdf/content#page=2&passage=3",
    ]
    assert [each["url"] for each in cited("[1][2]", *WEB)] == [
        "https://example.org/leave",
        "https://example.org/leave#passage=2",
    ]


def test_a_title_names_the_page() -> None:
    [found] = cited("[1]", source(1, "leave.pdf", page=3))
    assert (found["title"], found["filename"], found["page"]) == ("leave.pdf, p. 3", "leave.pdf", 3)


def test_what_is_not_cited_has_no_annotation() -> None:
    assert cited("Nothing [9] is cited.", *FILES) == [] == cited("Nothing.")
