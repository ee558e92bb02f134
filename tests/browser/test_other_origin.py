"""A page of another origin in a real browser: only an allowed origin with a token gets through."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support.modelserver import ModelServer
from tests.support.service import TOKEN, Service

ASK = """async ([url, token]) => {
  const reply = await fetch(url + "/chat/stream", {
    method: "POST",
    headers: {"Content-Type": "application/json", Authorization: "Bearer " + token},
    body: JSON.stringify({question: "q", llm_config: {supplier: "openai", model: "echo"}}),
  });
  return [reply.status, await reply.text()];
}"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A page on another origin."""
    folder: Path = tmp_path_factory.mktemp("elsewhere")
    (folder / "index.html").write_text("<!doctype html><title>elsewhere</title>")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def ask_from(browser: Browser, page_url: str, service: Service) -> list:
    page = browser.new_page()
    page.goto(page_url)
    try:
        found: list = page.evaluate(ASK, [service.url, TOKEN])
        return found
    finally:
        page.close()


def test_an_allowed_origin_streams_with_a_token(
    browser: Browser, elsewhere: str, tmp_path: Path, model_server: ModelServer
) -> None:
    with Service(
        tmp_path, OPENAI_BASE_URL=model_server.base_url, CHATAPP_ORIGINS=elsewhere
    ) as service:
        status, body = ask_from(browser, elsewhere, service)
    assert status == 200
    assert '"type":"context"' in body and '"type":"done"' in body


def test_any_other_origin_is_refused(browser: Browser, elsewhere: str, service: Service) -> None:
    with pytest.raises(Exception, match="Failed to fetch"):
        ask_from(browser, elsewhere, service)
