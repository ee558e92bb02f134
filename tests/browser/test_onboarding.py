"""Onboarding: sign in by link, connect a model, set a password."""

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import (
    LANGUAGES,
    PHONE,
    Chat,
    Faults,
    filled,
    new_window,
    sentence,
    sign_in,
    words,
)
from tests.support.modelserver import ModelServer
from tests.support.service import ROOT, Service, free_port

pytestmark = pytest.mark.parametrize("language", LANGUAGES)
REFUSED = r"Failed to load resource.*"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A fresh service without models or passwords."""
    with Service(tmp_path_factory.mktemp("fresh")) as running:
        yield running


@pytest.fixture
def link(fresh: Service) -> str:
    """A new one-time link, as `make link` prints it."""
    command = [sys.executable, "-m", "chatapp", "link"]
    printed = subprocess.run(
        command, cwd=ROOT, env=fresh.environ, capture_output=True, text=True, check=True
    ).stdout
    return re.findall(r"http://\S+/sign-in#\S+", printed)[-1]


@pytest.fixture(scope="module")
def login(browser: Browser, fresh: Service) -> list:
    return sign_in(browser, fresh)


@pytest.fixture
def page(
    browser: Browser, fresh: Service, login: list, faults: Faults, language: str
) -> Iterator[Page]:
    """A page without a login."""
    window = new_window(browser, fresh.url, locale=language)
    window.on("page", faults.watch)
    yield window.new_page()
    window.close()
    for supplier in fresh.get("/api/suppliers").json["items"]:
        fresh.request("DELETE", f"/api/suppliers/{supplier['id']}")


def first_page(page: Page, login: list) -> Chat:
    """Sign in and open the chat page."""
    page.context.add_cookies(login)
    return Chat(page).open()


def test_a_sign_in_link_works_once_and_the_password_can_be_skipped(
    page: Page, link: str, faults: Faults, language: str
) -> None:
    faults.expect(REFUSED + "401")
    page.goto("/")
    expect(page).to_have_url(re.compile(r"/sign-in$"))
    page.goto(link)
    expect(page.locator("[data-step=link]")).to_be_visible()
    page.locator("[data-link-go]").click()
    expect(page.locator("[data-step=password]")).to_be_visible()
    page.locator("[data-skip]").click()
    expect(Chat(page).ready().input).to_be_focused()
    page.goto("/sign-in")  # redirects, and leaves no history entry
    Chat(page).ready()
    expect(page).to_have_url(re.compile(r":\d+/$"))
    page.context.clear_cookies()
    page.goto(link)
    page.locator("[data-link-go]").click()
    expect(page.locator("[data-problem]")).to_have_text(words(language, "error.unauthorized.link"))
    expect(page.locator("[data-step=form]")).to_be_visible()


def test_the_first_token_takes_four_actions(
    page: Page, login: list, model_server: ModelServer, language: str
) -> None:
    chat = first_page(page, login)
    expect(page.locator("[data-empty]")).to_be_visible()
    page.locator("[data-empty-connect]").click()  # 1
    expect(chat.connect_dialog.locator("[data-preset] option").first).to_be_attached()
    chat.connect_dialog.locator("[data-base-url]").fill(model_server.base_url)  # 2
    chat.connect_dialog.locator("[data-save]").click()  # 3
    expect(chat.connect_dialog).to_be_hidden()
    chat.input.press_sequentially("Hello there\n")  # 4
    expect(chat.text(chat.answers.last)).not_to_have_text("")
    chat.expect_complete(chat.answers.last)
    assert "Hello there" in str(model_server.asked()[-1].body["messages"])


WRONG_SETTINGS = {
    "wrong key": ("{model}", "bad-key", "upstream_auth"),
    "wrong port": ("http://127.0.0.1:{free}/v1", "", "upstream_unreachable"),
    "no key": ("{service}/v1", "", "upstream_auth.missing"),
}


def test_connecting_reports_each_error(
    page: Page, login: list, fresh: Service, model_server: ModelServer, language: str
) -> None:
    dialog = first_page(page, login).connect_dialog
    page.locator("[data-empty-connect]").click()
    result = dialog.locator("[data-result]")
    for url, key, code in WRONG_SETTINGS.values():
        address = url.format(model=model_server.base_url, free=free_port(), service=fresh.url)
        dialog.locator("[data-base-url]").fill(address)
        dialog.locator("[data-key]").fill(key)
        dialog.locator("[data-test]").click()
        expect(result).to_have_attribute("data-result", "failed")
        expect(result).to_have_text(sentence(language, f"error.{code}"))
    dialog.locator("[data-base-url]").fill(model_server.base_url)
    dialog.locator("[data-key]").fill("sk-good")
    dialog.locator("[data-test]").click()
    expect(result).to_have_attribute("data-result", "ok")
    expect(dialog.locator("[data-models] [data-model=echo]")).to_be_visible()


def test_models_are_ticked_or_entered_by_name(
    page: Page, login: list, fresh: Service, model_server: ModelServer, language: str
) -> None:
    dialog = first_page(page, login).connect_dialog
    page.locator("[data-empty-connect]").click()
    dialog.locator("[data-base-url]").fill(model_server.base_url)
    dialog.locator("[data-test]").click()
    ticked = dialog.locator("[data-model]:checked")
    expect(ticked).to_have_count(1)
    dialog.locator("[data-tick-all]").click()
    expect(ticked).not_to_have_count(1)
    dialog.locator("[data-tick-all]").click()
    expect(ticked).to_have_count(0)
    dialog.locator("[data-models] [data-model=cited]").check()
    expect(dialog.locator("[data-typed-label]")).to_have_text(words(language, "connect.typed.more"))
    dialog.locator("[data-typed]").fill("think")
    dialog.locator("[data-save]").click()
    expect(dialog).to_be_hidden()
    offered = {
        model["model"] for model in fresh.get("/api/models").json["items"] if not model["builtin"]
    }
    assert offered == {"cited", "think"}


def test_a_connected_supplier_is_edited_and_never_duplicated(
    page: Page,
    login: list,
    fresh: Service,
    model_server: ModelServer,
    faults: Faults,
    language: str,
) -> None:
    faults.expect(REFUSED + "422")
    host = model_server.base_url.removeprefix("http://")
    chat = first_page(page, login)
    dialog, result = chat.connect_dialog, chat.connect_dialog.locator("[data-result]")
    page.locator("[data-empty-connect]").click()
    expect(dialog.locator("[data-preset] option").first).to_be_attached()
    dialog.locator("[data-preset]").select_option("")
    dialog.locator("[data-test]").click()
    expect(result).to_contain_text(words(language, "connect.base_url"))
    dialog.locator("[data-key]").fill("sk-first")
    dialog.locator("[data-base-url]").fill(host)  # without its scheme
    dialog.locator("[data-test]").click()
    expect(result).to_have_attribute("data-result", "ok")
    page.set_viewport_size(PHONE)
    for button in ("[data-test]", "[data-save]"):
        expect(dialog.locator(button)).to_be_in_viewport(ratio=1)
    dialog.locator("[data-save]").click()

    # connect the same address again
    page.locator("[data-model-picker] [data-picker-button]").click()
    page.locator("[data-model-picker] [data-connect]").click()
    row = dialog.locator("[data-supplier]")
    expect(row).to_have_count(1)
    dialog.locator("[data-preset]").select_option("")
    dialog.locator("[data-base-url]").fill(model_server.base_url + "/")
    dialog.locator("[data-test]").click()
    dialog.locator("[data-models] [data-model=echo]").check()
    dialog.locator("[data-save]").click()
    expect(dialog).to_be_hidden()
    [saved] = fresh.get("/api/suppliers").json["items"]
    assert saved["has_key"] and set(saved["models"]) == {"cited", "echo"}

    # edit it by its row
    page.locator("[data-model-picker] [data-picker-button]").click()
    page.locator("[data-model-picker] [data-connect]").click()
    row.locator("[data-edit-supplier]").click()
    expect(dialog.locator("h2")).to_have_text(filled(language, "connect.edit", name=saved["name"]))
    expect(dialog.locator("[data-base-url]")).to_have_value(model_server.base_url)
    expect(dialog.locator("[data-key]")).to_have_attribute(
        "placeholder", words(language, "connect.key.kept")
    )
    expect(dialog.locator("[data-model]:checked")).to_have_count(2)
    dialog.locator("[data-base-url]").fill("http://127.0.0.1:9/v1")
    expect(dialog.locator("[data-key-note]")).to_have_text(words(language, "connect.key.again"))
    dialog.locator("[data-base-url]").fill(model_server.base_url)
    dialog.locator("[data-test]").click()
    expect(result).to_have_attribute("data-result", "ok")
    dialog.locator("[data-models] [data-model=cited]").uncheck()
    dialog.locator("[data-models] [data-model=reasoning]").check()
    dialog.locator("[data-save]").click()
    expect(dialog).to_be_hidden()
    [changed] = fresh.get("/api/suppliers").json["items"]
    assert (
        changed["id"] == saved["id"]
        and changed["has_key"]
        and set(changed["models"]) == {"echo", "reasoning"}
    )


def test_a_password_can_be_revealed_until_it_is_submitted(
    page: Page, faults: Faults, language: str
) -> None:
    faults.expect(REFUSED + "401")
    page.goto("/sign-in")
    password, eye = (
        page.locator("[data-login-password]"),
        page.locator("[data-login] [data-reveal]"),
    )
    expect(eye).to_have_attribute("aria-label", words(language, "app.reveal"))
    password.fill("not the right one")
    eye.click()
    expect(password).to_have_attribute("type", "text")
    expect(eye).to_have_attribute("aria-pressed", "true")
    page.locator("[data-login-go]").click()
    expect(page.locator("[data-problem]")).to_be_visible()
    expect(password).to_have_attribute("type", "password")


def test_a_password_set_after_the_link_signs_in(
    page: Page, link: str, faults: Faults, language: str
) -> None:
    faults.expect(REFUSED + "401")
    page.goto(link)
    page.locator("[data-link-go]").click()
    if language == "en-US":  # only the first run: the second has one
        page.locator("[data-new-password]").fill("a good long password")
        page.locator("[data-first-password] [type=submit]").click()
    Chat(page).ready()
    page.locator("[data-account]").click()
    page.locator("[data-sign-out]").click()
    expect(page.locator("[data-step=form]")).to_be_visible()
    page.locator("[data-login-password]").fill("a wrong one, I fear")
    page.locator("[data-login-go]").click()
    expect(page.locator("[data-problem]")).to_have_text(words(language, "error.unauthorized.wrong"))
    page.locator("[data-login-password]").fill("a good long password")
    page.locator("[data-login-go]").click()
    Chat(page).ready()


def test_the_link_of_a_citation_shows_the_sign_in_form(page: Page, fresh: Service) -> None:
    """The place in the document, which the browser keeps, is no sign-in link."""
    some = "00000000-0000-4000-8000-000000000000"
    page.goto(f"{fresh.url}/api/knowledge/{some}/files/{some}/content#page=3&passage=2")
    expect(page.locator("[data-login]")).to_be_visible()
    expect(page.locator("[data-link-go]")).to_be_hidden()
    assert page.url.startswith(f"{fresh.url}/sign-in")
