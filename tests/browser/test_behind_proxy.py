"""The page behind a real nginx, as people set it up: it works, or it says which line is missing."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import LANGUAGES, Chat, Faults, new_window, text_file, words
from tests.support.guide_proxies import KINDS, guide_proxy
from tests.support.modelbehaviours import LET_GO
from tests.support.modelserver import ModelServer
from tests.support.nginx import make_certificate, needs_nginx, nginx, server
from tests.support.service import Service, free_port

pytestmark = needs_nginx
PASSWORD = "a password of the tests"
STORY = "held-120"
# The browser resolves it to this machine, and unlike 127.0.0.1 it is no "trustworthy" origin: over
# plain HTTP, no Sec-Fetch-Site is sent to it.
NAME = "chat.example"
FERRY = text_file("Ferry times.txt", "The ferry to the island leaves at seven in the evening.")
REFUSED = r"Failed to load resource.*403"


@pytest.fixture(scope="module")
def options(model_server: ModelServer) -> dict[str, str]:
    return {
        "CHATAPP_ADMIN_PASSWORD": PASSWORD,
        "OPENAI_BASE_URL": model_server.base_url,
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_MODELS": STORY,
    }


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, options: dict[str, str]) -> Iterator[Service]:
    """A service without a public URL."""
    with Service(tmp_path_factory.mktemp("plain"), **options) as running:
        yield running


@pytest.fixture(scope="module")
def below(
    tmp_path_factory: pytest.TempPathFactory, options: dict[str, str]
) -> Iterator[tuple[Service, int]]:
    """A service whose public URL is below a path that is also an address of the API; its port."""
    port = free_port()
    url = f"http://{NAME}:{port}/chat/"
    with Service(tmp_path_factory.mktemp("below"), CHATAPP_PUBLIC_URL=url, **options) as running:
        yield running, port


@pytest.fixture
def page(browser: Browser, faults: Faults, language: str) -> Iterator[Page]:
    window = new_window(browser, "http://unused.example", locale=language, ignore_https_errors=True)
    window.on("page", faults.watch)
    yield window.new_page()
    window.close()


@contextmanager
def proxied(page: Page, port: int, servers: str) -> Iterator[None]:
    """Run nginx for a page, which leaves before nginx ends."""
    with TemporaryDirectory() as folder, nginx(Path(folder), port, servers):
        yield
        page.goto("about:blank")


def assert_secure(page: Page, port: int) -> None:
    cookies = page.context.cookies()
    names = {f"__Host-chatapp_{purpose}_{port}" for purpose in ("session", "browser")}
    assert {cookie["name"] for cookie in cookies} == names
    assert all(cookie["secure"] for cookie in cookies)


def location(service: Service, *lines: str, path: str = "/", slash: str = "") -> str:
    parts = [f"proxy_pass http://127.0.0.1:{service.port}{slash};", *lines]
    return f"location {path} {{ {' '.join(parts)} }}"


def sign_in(page: Page, url: str) -> None:
    page.goto(url)
    expect(page).to_have_url(f"{url}sign-in")
    page.locator("[data-login-password]").fill(PASSWORD)
    page.locator("[data-login-go]").click()


def use(page: Page, url: str) -> Chat:
    """Sign in, read a stream, resume it after a reload, upload; all below one address."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    sign_in(page, url)
    chat = Chat(page).ready()
    expect(page).to_have_url(url)
    answer = chat.ask("A long story", STORY)
    expect(chat.text(answer)).to_contain_text("The quick brown")
    expect(answer).to_have_attribute("data-status", "running")
    expect(page).to_have_url(re.compile(re.escape(url) + "c/"))
    chat.reload()
    expect(chat.answers.last).to_have_attribute("data-status", "running")
    LET_GO.set()
    chat.expect_complete(chat.answers.last)
    expect(page.locator("[data-heldback]")).to_be_hidden()
    page.locator("[data-new-chat]:visible").first.click()
    expect(page).to_have_url(url)
    chat.add(FERRY)
    chat.expect_found(chat.upload("Ferry times.txt"))
    assert all(address.startswith((url, "data:", "blob:")) for address in asked), asked
    return chat


def test_nginx_with_its_defaults(plain: Service, page: Page) -> None:
    port = free_port()
    with proxied(page, port, server(port, location(plain))):
        use(page, f"http://127.0.0.1:{port}/")


def test_nginx_that_drops_the_port_of_the_host(plain: Service, page: Page) -> None:
    port = free_port()
    lines = location(plain, "proxy_set_header Host $host;")
    with proxied(page, port, server(port, lines)):
        use(page, f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize("lines", ["", "proxy_set_header Host $host;"], ids=["default", "no-port"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_where_the_browser_does_not_help_the_page_names_the_missing_line(
    plain: Service, page: Page, faults: Faults, lines: str
) -> None:
    faults.expect(REFUSED)
    port = free_port()
    with proxied(page, port, server(port, location(plain, lines))):
        sign_in(page, f"http://{NAME}:{port}/")
        problem = page.locator("[data-problem]")
        expect(problem).to_contain_text("proxy_set_header Host $http_host;")
        expect(problem).to_contain_text("ProxyPreserveHost On")
        expect(problem).to_contain_text(f"http://{NAME}:{port}")
        expect(problem).not_to_contain_text("CHATAPP_ORIGINS")


@pytest.mark.parametrize("slash", ["/", ""], ids=["removed", "passed-on"])
def test_below_a_path(below: tuple[Service, int], page: Page, faults: Faults, slash: str) -> None:
    """nginx's default for Host, too: the public URL is ours, whatever the host."""
    faults.expect(r"Failed to load resource.*404")
    service, port = below
    lines = location(service, path="/chat/", slash=slash)
    with proxied(page, port, server(port, lines)):
        chat = use(page, f"http://{NAME}:{port}/chat/")
        cookies = page.context.cookies()
        assert {(cookie["name"], cookie["path"]) for cookie in cookies} == {
            (f"chatapp_{purpose}_{port}.chat", "/chat") for purpose in ("session", "browser")
        }
        chat.menu("[data-use-from-code]")
        expect(page.locator("[data-code=curl]")).to_contain_text(
            f"http://{NAME}:{port}/chat/chat/stream"
        )
        page.keyboard.press("Escape")
        chat.page.goto(f"http://{NAME}:{port}/chat/nowhere")
        page.locator("[data-home-link]").click()
        expect(page).to_have_url(f"http://{NAME}:{port}/chat/")


def test_below_a_path_with_the_slash_in_one_place_only(
    below: tuple[Service, int], page: Page
) -> None:
    """`location /chat { proxy_pass http://…/; }` sends two slashes."""
    service, port = below
    lines = location(service, path="/chat", slash="/")
    with proxied(page, port, server(port, lines)):
        sign_in(page, f"http://{NAME}:{port}/chat/")
        Chat(page).ready()


def test_a_second_proxy_on_another_address(
    page: Page, tmp_path: Path, options: dict[str, str]
) -> None:
    """The outer one speaks HTTPS; the service knows the client from both."""
    inner, outer = free_port(), free_port()
    trusted = "127.0.0.1,127.0.0.2"
    log = ("--access-logfile", "-", "--access-logformat", "access by %(h)s")
    with Service(tmp_path, arguments=log, CHATAPP_TRUSTED_PROXIES=trusted, **options) as service:
        added = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
        kept = "proxy_set_header Host $http_host;"
        scheme = "proxy_set_header X-Forwarded-Proto $scheme;"
        passed = "proxy_set_header X-Forwarded-Proto $http_x_forwarded_proto;"
        second = f"proxy_pass http://127.0.0.1:{inner}; proxy_bind 127.0.0.2; proxy_buffering off;"
        client = "proxy_set_header X-Forwarded-For '198.51.100.7, 203.0.113.9';"
        tls = make_certificate(tmp_path, NAME)
        servers = server(inner, location(service, kept, added, passed)) + server(
            outer, f"{tls} location / {{ {second} {kept} {client} {scheme} }}", more=" ssl"
        )
        with proxied(page, outer, servers):
            use(page, f"https://{NAME}:{outer}/")
            assert_secure(page, outer)
            assert "access by 203.0.113.9\n" in service.output()
            assert "access by 198.51.100.7" not in service.output()


@pytest.mark.parametrize("kind", KINDS)
def test_the_lines_of_the_guide(plain: Service, page: Page, kind: str) -> None:
    port = free_port()
    with TemporaryDirectory() as folder, guide_proxy(kind, Path(folder), NAME, port, plain.port):
        use(page, f"https://{NAME}:{port}/")
        assert_secure(page, port)
        page.goto("about:blank")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_file_that_nginx_refuses_is_explained_with_its_line(
    plain: Service, page: Page, faults: Faults, language: str
) -> None:
    faults.expect(r"Failed to load resource.*413")
    port = free_port()
    with proxied(page, port, server(port, location(plain))):
        sign_in(page, f"http://127.0.0.1:{port}/")
        chat = Chat(page).ready()
        chat.add(text_file("large.txt", "A line of the file.\n" * 60_000))
        expect(chat.upload("large.txt")).to_contain_text(
            words(language, "documents.too_large.unknown")
        )


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_whose_script_is_not_passed_on_says_so(
    plain: Service, page: Page, faults: Faults, language: str
) -> None:
    faults.expect(r"Failed to load resource.*404")
    port = free_port()
    hidden = "location /static/ { return 404; }"
    with proxied(page, port, server(port, f"{location(plain)} {hidden}")):
        page.goto(f"http://127.0.0.1:{port}/sign-in")
        expect(page.locator("[data-unloaded]")).to_be_visible()
        expect(page.locator("[data-unloaded]")).to_have_text(words(language, "app.unloaded"))


def test_a_page_that_loads_never_shows_that_it_has_not(plain: Service, page: Page) -> None:
    page.goto(f"{plain.url}/sign-in")
    expect(page.locator("body")).to_have_attribute("data-ready", "")
    expect(page.locator("[data-unloaded]")).to_have_count(0)
