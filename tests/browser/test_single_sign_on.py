"""The sign-in page with an identity provider: to it, back, and out again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.axe import violations
from tests.support.browser import LANGUAGES, Chat, Faults, filled, new_window, words
from tests.support.idprovider import ADA, IdentityProvider
from tests.support.service import Service

pytestmark = pytest.mark.parametrize("language", LANGUAGES)
NAME = "Example ID"


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    with IdentityProvider() as running:
        yield running


@pytest.fixture(scope="module")
def fresh(
    tmp_path_factory: pytest.TempPathFactory, provider: IdentityProvider
) -> Iterator[Service]:
    with Service(
        tmp_path_factory.mktemp("fresh"),
        CHATAPP_OIDC_ISSUER=provider.url,
        CHATAPP_OIDC_CLIENT_ID="chat",
        CHATAPP_OIDC_CLIENT_SECRET="a secret",
        CHATAPP_OIDC_NAME=NAME,
    ) as running:
        yield running


@pytest.fixture
def page(browser: Browser, fresh: Service, faults: Faults, language: str) -> Iterator[Page]:
    """A page without a login."""
    window = new_window(browser, fresh.url, locale=language)
    window.on("page", faults.watch)
    window.route("https://cdn.jsdelivr.net/**", lambda route: route.abort())
    faults.expect("cdn.jsdelivr.net")  # a style sheet of the provider's pages
    yield window.new_page()
    window.close()


def test_the_button_leads_to_the_provider_and_back_and_signing_out_there_too(
    page: Page, provider: IdentityProvider, language: str
) -> None:
    page.goto("/sign-in")
    button = page.locator("[data-provider]")
    expect(button).to_have_text(filled(language, "sign_in.provider", name=NAME))
    expect(page.locator("[data-login-password]")).to_be_visible()
    button.click()
    page.get_by_role("button", name=ADA["sub"], exact=True).first.click()
    Chat(page).ready()
    expect(page.locator("[data-account-name]")).to_have_text(ADA["preferred_username"])
    page.locator("[data-account]").click()
    page.locator("[data-open-settings]").first.click()
    page.locator('[data-tab="account"]').click()
    expect(page.locator("[data-own-name]")).to_be_visible()
    expect(page.locator("[data-password-form]")).to_be_hidden()
    page.keyboard.press("Escape")
    page.locator("[data-account]").click()
    page.locator("[data-sign-out]").click()
    page.wait_for_url(f"{provider.url}/**")


def test_who_is_signed_in_by_a_proxy_has_no_way_out_and_no_password(
    browser: Browser, tmp_path: Path, faults: Faults, language: str
) -> None:
    named = {"CHATAPP_AUTH_HEADER": "X-User", "CHATAPP_TRUSTED_PROXIES": "127.0.0.1"}
    with Service(tmp_path, **named) as service:
        window = new_window(
            browser, service.url, locale=language, extra_http_headers={"X-User": "admin"}
        )
        window.on("page", faults.watch)
        chat = Chat(window.new_page())
        chat.page.goto("/")
        chat.ready()
        chat.page.locator("[data-account]").click()
        expect(chat.page.locator("[data-open-settings]").first).to_be_visible()
        expect(chat.page.locator("[data-sign-out]")).to_be_hidden()
        chat.page.locator("[data-open-settings]").first.click()
        chat.page.locator('[data-tab="account"]').click()
        expect(chat.page.locator("[data-logins-section]")).to_be_hidden()
        expect(chat.page.locator("[data-name-form]")).to_be_hidden()
        expect(chat.page.locator("[data-password-form]")).to_be_hidden()
        window.close()


def test_who_refuses_at_the_provider_reads_why_and_can_try_again(
    page: Page, faults: Faults, language: str
) -> None:
    faults.expect(r"Failed to load resource.*403")
    page.goto("/auth/oidc/callback?state=x&code=y")
    problem = page.locator("[data-problem]")
    expect(problem).to_have_text(words(language, "error.sign_in_refused.expired"))
    expect(page.locator("h1")).to_have_text(words(language, "sign_in.failed"))
    page.locator("[data-sign-in-link]").click()
    expect(page.locator("[data-provider]")).to_be_visible()


def test_both_pages_are_accessible(page: Page, faults: Faults, language: str) -> None:
    faults.expect(r"Failed to load resource.*403")
    for path in ("/sign-in", "/auth/oidc/callback"):
        page.goto(path)
        assert violations(page) == []
