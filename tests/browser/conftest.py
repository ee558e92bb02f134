"""A browser on the real product. An error in a page fails its test unless the test expects it."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

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
    "hang-mid slow-first-1 typewriter-40-200 typewriter-120-60 typewriter-400-40 reasoning "
    "length dictation-150"
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
    """More options of the browser's window."""
    return {}


@pytest.fixture
def faults() -> Iterator[Faults]:
    made = Faults()
    yield made
    assert not made.left(), made.left()


@pytest.fixture(scope="package")
def windows(browser: Browser, service: Service, cookies: list) -> Iterator[Windows]:
    """Windows by language, theme and size, kept so that scripts come from the browser's cache."""
    made = Windows(browser, service, cookies)
    yield made
    made.close()


@pytest.fixture
def context(
    windows: Windows, service: Service, faults: Faults, language: str, theme: str, window: dict
) -> Iterator[BrowserContext]:
    """A window of somebody signed in; what its pages have left behind is cleared away."""
    with windows.window(faults, locale=language, color_scheme=theme, **window) as opened:
        yield opened
    delete_sessions(service)


@pytest.fixture
def line(service: Service) -> Iterator[Line]:
    """A connection to the service that can be cut; only pages opened by its address use it."""
    with Line(service.port) as laid:
        yield laid


@pytest.fixture
def chat(context: BrowserContext) -> Chat:
    """A new chat, by somebody signed in."""
    return Chat(context.new_page()).open()
