"""Fixtures: a browser on the real product. A page error fails the test that does not expect it."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from chatapp.settings import BUILTIN
from tests.support.browser import (
    EXPECT_MS,
    Chat,
    Faults,
    Windows,
    delete_sessions,
    launch,
    missing_browser,
    sign_in,
)
from tests.support.line import Line
from tests.support.modelserver import ModelServer
from tests.support.service import Service

MODELS = (
    "echo cited cut refuse-401 refuse-429-5 refuse-500 html broken-json drop hang-before-headers "
    "refuse-with-markup hang-mid slow-first-1 typewriter-40-200 typewriter-120-60 "
    "typewriter-4000-40 held-120 reasoning "
    "length dictation-150 thinks-slowly says-nothing-stop says-nothing-cut-thinking sees"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = missing_browser()
    for item in items:
        if "tests/browser/" not in item.nodeid:
            continue
        item.add_marker(pytest.mark.browser)
        if missing and not os.environ.get("CI"):
            item.add_marker(pytest.mark.skip(reason=missing))


# Package scope, not session: the driver keeps an event loop running, which breaks other tests.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    assert not missing_browser(), missing_browser()
    expect.set_options(timeout=EXPECT_MS)
    with sync_playwright() as playwright:
        started = launch(playwright)
        yield started
        started.close()


@pytest.fixture(scope="package")
def service(
    tmp_path_factory: pytest.TempPathFactory, model_server: ModelServer
) -> Iterator[Service]:
    """The product with the model server as its supplier; a model's name is its behaviour."""
    supplier = {
        "OPENAI_BASE_URL": model_server.base_url,
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_MODELS": ",".join(MODELS.split()),
        "CHATAPP_FETCH_ALLOW": "127.0.0.1",
        "CHATAPP_EMBEDDER": BUILTIN,
    }
    with Service(tmp_path_factory.mktemp("browser-home"), **supplier) as running:
        yield running


@pytest.fixture(scope="package")
def cookies(browser: Browser, service: Service) -> list:
    return sign_in(browser, service)


@pytest.fixture
def language() -> str:
    """The browser's language; parametrise it to run a test in both."""
    return "en-US"


@pytest.fixture
def theme() -> str:
    return "light"


@pytest.fixture
def window() -> dict:
    """More options of the browser context."""
    return {}


@pytest.fixture
def faults() -> Iterator[Faults]:
    made = Faults()
    yield made
    assert not made.left(), made.left()


@pytest.fixture(scope="package")
def windows(browser: Browser, service: Service, cookies: list) -> Iterator[Windows]:
    """Browser contexts by language, theme and size, reused so that scripts come from the cache."""
    made = Windows(browser, service, cookies)
    yield made
    made.close()


@pytest.fixture
def context(
    windows: Windows, service: Service, faults: Faults, language: str, theme: str, window: dict
) -> Iterator[BrowserContext]:
    """A signed-in browser context; its chats are deleted afterwards."""
    with windows.window(faults, locale=language, color_scheme=theme, **window) as opened:
        yield opened
    delete_sessions(service)


@pytest.fixture
def line(service: Service) -> Iterator[Line]:
    """A proxy to the service that can be interrupted; used by pages that open its address."""
    with Line(service.port) as laid:
        yield laid


@pytest.fixture
def chat(context: BrowserContext) -> Chat:
    """A new chat of the signed-in user."""
    return Chat(context.new_page()).open()
