"""Splitting by meaning on the page: the choice, what was used, and reading again."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.support.browser import (
    LANGUAGES,
    Chat,
    delete_bases,
    files_of,
    filled,
    own_bases,
    text_file,
    words,
)
from tests.support.service import Service, wait_for

pytestmark = pytest.mark.parametrize("language", LANGUAGES)

LEAVE = "Every employee may take thirty days of annual leave, which the manager has to approve. "
PUMP = "The pump needs a new seal as soon as oil drips from the housing onto the floor. "


@pytest.fixture(autouse=True)
def no_bases_left(service: Service) -> Iterator[None]:
    yield
    delete_bases(service)


def test_a_base_is_split_by_meaning_from_the_choice_on(
    chat: Chat, service: Service, language: str
) -> None:
    page = chat.page
    root = page.locator("[data-dialog=knowledge]")
    at = lambda hook: root.locator(f"[data-{hook}]")  # noqa: E731
    page.locator("[data-open-knowledge]").click()
    at("new-base").click()
    expect(at("base-by-meaning")).not_to_be_checked()
    expect(at("base-split-later")).to_be_hidden()
    at("base-name").fill("Rules")
    at("base-save").click()
    expect(at("base-title")).to_have_text("Rules")
    (base,) = own_bases(service)
    assert base["splitting"] == "size"
    with page.expect_file_chooser() as chooser:
        at("upload-here").click()
    chooser.value.set_files([text_file("rules.txt", LEAVE * 6 + PUMP * 6)])
    ready(service, base["id"])
    row = at("file").first
    expect(row).not_to_contain_text(words(language, "knowledge.split.size"))
    expect(at("split")).to_be_hidden()

    at("base-edit").click()
    expect(at("base-split-later")).to_be_visible()
    at("base-by-meaning").check()
    at("base-save").click()
    expect(at("split-text")).to_have_text(filled(language, "knowledge.split.others_size.one", n=1))
    expect(row).to_contain_text(words(language, "knowledge.split.size"))

    at("split-again").click()
    wait_for(
        lambda: files_of(service, base["id"])[0]["split"] == "meaning", what="it is split again"
    )
    ready(service, base["id"])
    expect(at("split")).to_be_hidden()
    expect(row).not_to_contain_text(words(language, "knowledge.split.size"))
    at("base-edit").click()
    expect(at("base-by-meaning")).to_be_checked()


def ready(service: Service, base: str) -> None:
    wait_for(
        lambda: [file["status"] for file in files_of(service, base)] == ["ready"],
        what="the file is ready",
    )
