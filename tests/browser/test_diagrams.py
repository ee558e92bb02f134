"""Diagrams: code that is drawn on demand, in a frame that can do nothing else."""

import re
from typing import Any

import pytest
from playwright.sync_api import FrameLocator, Locator, expect

from tests.support.axe import violations
from tests.support.browser import DRAWN_OR_NOT, PHONE, Chat, words

FLOW = "flowchart LR\n  A[Upload] --> B{Readable?}\n  B -- yes --> C[Split]\n"
RICH = """| a | b |
|--|--:|
| 1 | 2 |

```python
@once  # a comment
def read(path: str = "a") -> int:
    return 42
```

```diff
- old
+ new
```
"""
HOSTILE = """%%{init: {"securityLevel": "loose", "htmlLabels": true, "theme": "forest",
  "themeCSS": "* { background: url(BEACON/a) }"}}%%
flowchart LR
  A["<img src='BEACON/b' onerror='top.owned=1;window.owned=1'>"] --> B["<script>owned=1</script>"]
  B --> C@{ img: "BEACON/c", label: "picture", h: 60, constraint: "on" }
  click A href "javascript:window.owned=1"
  click B href "BEACON/d" _top
  click C call owned()
  style A fill:url(BEACON/e)
"""


def asked(chat: Chat, text: str) -> Locator:
    """Return the code block of an answer that is this diagram."""
    answer = chat.ask(f"Look:\n\n```mermaid\n{text}```\n\nEnd.", "echo")
    chat.expect_complete(answer)
    return answer.locator("figure.code")


def drawn(figure: Locator) -> FrameLocator:
    figure.locator("[data-draw]").click()
    expect(figure).to_have_attribute("data-drawn", "")
    return figure.frame_locator("iframe")


def test_a_diagram_is_drawn_on_demand_and_its_code_comes_back(chat: Chat) -> None:
    urls: list[str] = []
    chat.page.on("request", lambda request: urls.append(request.url))
    figure = asked(chat, FLOW)
    assert not any("mermaid" in url or "diagram" in url for url in urls)
    frame = drawn(figure)
    expect(frame.locator("svg")).to_contain_text("Readable?")
    expect(figure.locator("pre")).to_be_hidden()
    height = figure.locator("iframe").evaluate("frame => frame.offsetHeight")
    assert 60 <= height <= 800
    figure.locator("[data-draw]").click()
    expect(figure.locator("iframe")).to_have_count(0)
    expect(figure.locator("pre")).to_be_visible()
    expect(figure.locator("code")).to_have_text(FLOW)
    expect(figure.locator("[data-draw]")).to_have_text(words("en", "diagram.draw"))


def test_the_frame_has_no_origin_and_no_network(chat: Chat, faults: Any) -> None:
    faults.expect("connect-src", "Connecting to", "Fetch API cannot load")
    figure = asked(chat, FLOW)
    frame = drawn(figure)
    expect(figure.locator("iframe")).to_have_attribute("sandbox", "allow-scripts")
    page = frame.locator("body")
    assert page.evaluate("() => self.origin") == "null"
    assert page.evaluate("() => fetch('/api/auth/me').then(() => 1, () => 0)") == 0
    assert page.evaluate("() => { try { return parent.document.title } catch { return 0 } }") == 0


@pytest.fixture
def beacon(chat: Chat, faults: Any) -> str:
    faults.expect("Content Security Policy", "CSP: ")
    return "https://beacon.example.org"


def test_a_hostile_diagram_neither_runs_nor_fetches(chat: Chat, beacon: str) -> None:
    urls: list[str] = []
    chat.page.context.on("request", lambda request: urls.append(request.url))
    figure = asked(chat, HOSTILE.replace("BEACON", beacon))
    figure.locator("[data-draw]").click()
    expect(chat.answers.last.locator(DRAWN_OR_NOT)).to_have_count(1)
    for frame in chat.page.frames:
        assert frame.evaluate("() => self.owned") is None
    if figure.get_attribute("data-drawn") is not None:
        svg = figure.frame_locator("iframe").locator("svg")
        expect(svg.locator("script, [onerror], a[href]")).to_have_count(0)
    assert not [url for url in urls if url.startswith(beacon)]
    assert len({url.split("/")[2] for url in urls if url.startswith("http")}) <= 1


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("flowchart LR\n  A[Open --> B\n", "diagram.syntax"),
        ("no diagram\n", "diagram.kind"),
        ("mindmap\n  root\n    a\n", "diagram.kind"),
        ("flowchart LR\n" + "  A --> B\n" * 400, "diagram.too_large"),
        (f"flowchart LR\n  %% {'long ' * 5_000}\n", "diagram.too_large"),
    ],
    ids=["syntax", "none", "mindmap", "edges", "characters"],
)
def test_what_cannot_be_drawn_says_why_and_stays_code(chat: Chat, text: str, key: str) -> None:
    figure = asked(chat, text)
    figure.locator("[data-draw]").click()
    note = figure.locator("[data-diagram-note]")
    sentence = re.escape(words("en", key)).replace(r"\{line\}", r"\d+")
    expect(note).to_have_text(re.compile(f"^{sentence}$"))
    expect(figure.locator("iframe")).to_have_count(0)
    expect(figure.locator("pre")).to_be_visible()


def test_the_library_that_does_not_load_is_reported(chat: Chat, faults: Any) -> None:
    faults.expect("Failed to load resource", "ERR_FAILED")
    chat.page.context.route("**/vendor/mermaid.js", lambda route: route.abort())
    figure = asked(chat, FLOW)
    figure.locator("[data-draw]").click()
    expect(figure.locator("[data-diagram-note]")).to_have_text(words("en", "diagram.unreachable"))
    chat.page.context.unroute("**/vendor/mermaid.js")
    expect(drawn(figure).locator("svg")).to_be_visible()


def test_a_drawing_follows_the_theme(chat: Chat) -> None:
    frame = drawn(asked(chat, FLOW))
    ink = "() => getComputedStyle(document.querySelector('svg .nodeLabel')).color"
    light = frame.locator("body").evaluate(ink)
    chat.page.evaluate("document.documentElement.dataset.theme = 'dark'")
    expect(frame.locator("html")).to_have_attribute("data-theme", "dark")
    expect(frame.locator("svg .nodeLabel").first).not_to_have_css("color", light)


@pytest.mark.parametrize("window", [{"viewport": PHONE, "has_touch": True, "is_mobile": True}])
def test_a_tall_or_wide_drawing_stays_in_its_box(chat: Chat) -> None:
    steps = "".join(f"  S{n}[Step number {n}] --> S{n + 1}\n" for n in range(30))
    figure = asked(chat, f"flowchart TD\n{steps}")
    drawn(figure)
    box = figure.locator("iframe").bounding_box()
    assert box and box["width"] <= PHONE["width"] and box["height"] <= PHONE["height"] * 0.81
    assert chat.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


@pytest.mark.parametrize("window", [{"reduced_motion": "reduce"}], ids=["still"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_code_tables_and_drawings_have_no_accessibility_violations(chat: Chat, theme: str) -> None:
    answer = chat.ask(f"{RICH}\n```mermaid\n{FLOW}```", "echo")
    chat.expect_complete(answer)
    expect(answer.locator(".c-keyword").first).to_be_visible()
    figure = answer.locator("figure.code").last
    drawn(figure)
    assert violations(chat.page) == []
    figure.locator("[data-draw]").click()
    assert violations(chat.page) == []
