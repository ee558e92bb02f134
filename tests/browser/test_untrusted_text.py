"""XSS: text from models, documents and names never runs and causes no requests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.support.browser import Chat
from tests.support.modelserver import ModelServer
from tests.support.service import Service

HOSTILE = """<img src=x onerror="window.owned=1"><script>window.owned=1</script>\
<svg onload="window.owned=1">
<iframe src="javascript:parent.owned=1"></iframe> <style>body{display:none}</style>

[click](javascript:window.owned=1) [data](data:text/html,<script>parent.owned=1</script>) \
<javascript:window.owned=1>
![beacon](BEACON/beacon.png) ![x](x"onerror="window.owned=1) \
[vb](vbscript:x) [ref]: javascript:window.owned=1

| a | b |
| :-: | - |
| <b onmouseover="window.owned=1">x</b> | `<script>window.owned=1</script>` |

```html
<script>window.owned=1</script>
```
[good](https://example.org/page "a title") [1](BEACON) \
<a href="BEACON" ping="BEACON">x</a> \u202e\u0000 &lt;script&gt;
"""
NAME = "<img src=x onerror=window.owned=1>.txt"


@pytest.fixture
def beacon(chat: Chat, model_server: ModelServer) -> Iterator[str]:
    """A URL that must never be requested. Afterwards no script may have run or sent a request."""
    asked: list[str] = []
    origin = "/".join(chat.page.url.split("/")[:3])
    chat.page.on(
        "request",
        lambda request: asked.append(request.url) if not request.url.startswith(origin) else None,
    )
    chat.page.on("dialog", lambda dialog: asked.append(f"dialog: {dialog.message}"))
    before = len(model_server.requests)
    yield model_server.base_url
    assert chat.page.evaluate("window.owned") is None
    assert not asked
    assert all(
        request.path.startswith("/v1/") and "beacon" not in request.path
        for request in model_server.requests[before:]
    )


def test_hostile_markdown_never_runs(chat: Chat, beacon: str) -> None:
    text = HOSTILE.replace("BEACON", beacon)
    answer = chat.ask(text, "echo")
    chat.expect_complete(answer)
    for root in (chat.text(answer), chat.questions.last):
        expect(
            root.locator(
                "img, script, iframe, style, svg:not(.icon), [onerror], [onload], [onmouseover]"
            )
        ).to_have_count(0)
    schemes = answer.locator("[data-text] a").evaluate_all(
        "links => [...new Set(links.map((link) => link.protocol))]"
    )
    assert set(schemes) <= {"http:", "https:", "mailto:"}
    for link in answer.locator("[data-text] a").all():
        expect(link).to_have_attribute("rel", "noopener noreferrer")
    expect(answer.locator("[data-text] a", has_text="good")).to_have_attribute(
        "href", "https://example.org/page"
    )
    expect(answer.locator("figure code")).to_have_text("<script>window.owned=1</script>\n")
    chat.reload()
    expect(chat.text(answer).locator("img, script, iframe, style, svg:not(.icon)")).to_have_count(0)
    expect(chat.text(answer)).to_be_visible()


def test_hostile_file_names_titles_and_contents_are_text(
    chat: Chat, service: Service, beacon: str, tmp_path: Path
) -> None:
    file = tmp_path / NAME
    file.write_text(f"The secret of the harbour is {HOSTILE.replace('BEACON', beacon)}", "utf-8")
    base = service.add_documents("<script>window.owned=1</script>", file)
    chat.reload().choose_base(base)
    chat.choose_model("builtin/extractive")
    answer = chat.ask("What is <img src=x onerror=window.owned=1> the secret of the harbour?")
    chat.expect_complete(answer)
    expect(answer.locator("[data-context]")).to_have_text("<script>window.owned=1</script>")
    expect(answer.locator("[data-source]").first).to_contain_text(NAME)
    answer.locator("[data-source]").first.click()
    expect(chat.panel.locator("[data-source-name]")).to_have_text(NAME)
    expect(chat.panel.locator("[data-source-text]")).to_contain_text(
        "The secret of the harbour is <img"
    )
    expect(chat.panel.locator("img, script, iframe")).to_have_count(0)
    expect(chat.page.locator("[data-session-open]").first).to_contain_text("<img src=x")
    chat.page.locator("[data-open-knowledge]").click()
    expect(chat.page.locator("[data-dialog=knowledge] .file-name", has_text=NAME)).to_be_visible()
    service.request("DELETE", f"/api/knowledge/{base}")


def test_a_supplier_s_own_error_text_is_folded_and_without_keys(chat: Chat, beacon: str) -> None:
    answer = chat.ask("Fail", "refuse-500")
    expect(chat.error(answer)).to_be_visible()
    expect(chat.error(answer)).not_to_contain_text("sk-")
    theirs = chat.error(answer).locator("[data-upstream-text]")
    expect(theirs).to_contain_text("Refused. Key")
    expect(theirs).to_be_hidden()


def test_a_link_opens_without_an_opener(
    chat: Chat, context: BrowserContext, service: Service
) -> None:
    answer = chat.ask(f"[open]({service.url}/healthz)", "echo")
    chat.expect_complete(answer)
    with context.expect_page() as opened:
        answer.locator("[data-text] a").click()
    assert opened.value.evaluate("window.opener") is None
