"""The page bundled and as plain modules, below a path; and what its first load costs."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from tests.support.browser import PHONE, Chat, Faults, new_window, until
from tests.support.modelserver import ModelServer
from tests.support.service import ROOT, Service

PASSWORD = "a-password-for-the-tests"
PARTS = ("app.py", "wsgi.py", "gunicorn.conf.py", "package.json", "package-lock.json")
FOLDERS = ("chatapp", "migrations", "scripts", "static", "templates")
MAKE = "import sys; sys.path.insert(0, 'scripts'); import bundle; bundle.page_bundle()"
QUESTION = "Energy is $E = mc^2$.\n\n```python\nimport os\n```\n"
# what a first load may cost, compressed
MOST_REQUESTS = 25
MOST_BYTES = {"script": 120_000, "stylesheet": 15_000}
MOST_SHIFT = 0.02
ON_DEMAND = re.compile(r"katex|highlight|mermaid|/(?:dialog|connect|palette|share|code)-\w+\.js")
SHIFTS = """
window.shift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
}).observe({ type: 'layout-shift', buffered: true });
"""


def copied(root: Path) -> Path:
    """Copy what the service needs, without a bundle."""
    for name in PARTS:
        shutil.copy(ROOT / name, root)
    for name in FOLDERS:
        left_out = shutil.ignore_patterns("__pycache__", "bundle")
        shutil.copytree(ROOT / name, root / name, ignore=left_out)
    shutil.copytree(ROOT / "docs" / "manual", root / "docs" / "manual")
    (root / "node_modules").symlink_to(ROOT / "node_modules")
    return root


@pytest.fixture(scope="module", params=["bundled", "plain"])
def delivery(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    model_server: ModelServer,
) -> Iterator[tuple[str, Service]]:
    """The product from a copy of this checkout, published below a path."""
    root = copied(tmp_path_factory.mktemp(f"checkout-{request.param}"))
    if request.param == "bundled":
        subprocess.run([sys.executable, "-c", MAKE], cwd=root, check=True)
    service = Service(
        tmp_path_factory.mktemp(f"home-{request.param}"),
        root=root,
        CHATAPP_HELPERS="off",
        CHATAPP_ADMIN_PASSWORD=PASSWORD,
        OPENAI_BASE_URL=model_server.base_url,
        OPENAI_API_KEY="sk-test",
        OPENAI_MODELS="echo",
    )
    service.ready_path = "/healthz"
    service.environ["CHATAPP_PUBLIC_URL"] = f"{service.url}/below"
    with service:
        yield request.param, service


@pytest.fixture
def page(browser: Browser, delivery: tuple[str, Service], faults: Faults) -> Iterator[Page]:
    _, service = delivery
    window = new_window(browser, service.url)
    opened = window.new_page()
    faults.watch(opened)
    yield opened
    window.close()


def signed_in(page: Page) -> Chat:
    page.goto("/below/sign-in")
    page.locator("[data-login-password]").fill(PASSWORD)
    page.locator("[data-login-go]").click()
    return Chat(page).ready()


def sheets(page: Page) -> list[str]:
    found: list[str] = page.evaluate(
        "[...document.styleSheets].filter((sheet) => sheet.cssRules.length)"
        ".map((sheet) => sheet.href.split('/').at(-1))"
    )
    return found


def test_the_page_works_bundled_and_plain(page: Page, delivery: tuple[str, Service]) -> None:
    way, _ = delivery
    chat = signed_in(page)
    names: list[str] = page.evaluate(
        "performance.getEntriesByType('resource').map((entry) => entry.name)"
    )
    assert any(name.endswith("/js/chat/page.js") for name in names) == (way == "plain")
    answer = chat.ask(QUESTION, "echo")
    chat.expect_complete(answer)
    expect(answer.locator("[data-text] .katex")).to_be_visible()
    expect(answer.locator("figure.code .c-keyword")).to_have_text("import")
    for keys, dialog, sheet in (
        ("Control+k", "find", "find.css"),
        ("?", "keys", "find.css"),
    ):
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press(keys)
        expect(page.locator(f"dialog[data-dialog={dialog}]")).to_be_visible()
        until(page, lambda sheet=sheet: sheet in sheets(page))
        page.keyboard.press("Escape")
        expect(page.locator("dialog[open]")).to_have_count(0)
    page.locator("[data-open-knowledge]").click()
    expect(page.locator("dialog[data-dialog=knowledge]")).to_be_visible()
    until(page, lambda: "knowledge.css" in sheets(page))
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    chat.menu("[data-share]")
    page.locator("[data-share-create]").click()
    link = page.locator("[data-share-link]")
    expect(link).to_have_value(re.compile("/below/"))
    page.goto(link.input_value())
    expect(page.locator("[data-shared-text] .katex")).to_be_visible()


@pytest.mark.parametrize("delivery", ["bundled"], indirect=True)
def test_a_first_load_of_the_bundled_page_is_small_and_holds_still(page: Page) -> None:
    signed_in(page)
    page.wait_for_load_state("networkidle")  # what this page loads later is not counted
    page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    asked: list[Response] = []
    page.add_init_script(SHIFTS)
    page.on("response", lambda response: asked.append(response))
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    page.goto("/below/")
    Chat(page).ready()
    page.wait_for_load_state("networkidle")
    assert len(asked) <= MOST_REQUESTS
    assert not [found.url for found in asked if ON_DEMAND.search(found.url)]
    for kind, most in MOST_BYTES.items():
        sizes = [
            found.request.sizes()["responseBodySize"]
            for found in asked
            if found.request.resource_type == kind
        ]
        assert 0 < sum(sizes) <= most, kind
    assert page.evaluate("window.shift") <= MOST_SHIFT
