"""Pictures in the page: added, shown, sent, opened larger; or why they cannot be."""

import base64
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.support.browser import Chat, filled, messages, words
from tests.support.images import square
from tests.support.modelpictures import name_of
from tests.support.modelserver import ModelServer
from tests.support.service import Service

FILES = """(target, [kind, files]) => {
  const data = new DataTransfer();
  for (const [name, content, type] of files) {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    data.items.add(new File([bytes], name, { type }));
  }
  if (kind === 'paste') {
    const init = { clipboardData: data, bubbles: true, cancelable: true };
    target.dispatchEvent(new ClipboardEvent('paste', init));
    return;
  }
  for (const each of ['dragover', 'drop']) {
    const init = { dataTransfer: data, bubbles: true, cancelable: true };
    target.dispatchEvent(new DragEvent(each, init));
  }
}"""


class Pictures:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.items = page.locator("[data-picture]")
        self.blind = page.locator("[data-pictures-blind]")

    def give(self, kind: str, *files: tuple[str, bytes, str]) -> None:
        """Paste or drop files on the question's field."""
        encoded = [(name, base64.b64encode(data).decode(), type) for name, data, type in files]
        self.page.locator("[data-input]").evaluate(FILES, [kind, encoded])

    def expect_ready(self, count: int) -> None:
        expect(self.page.locator("[data-picture=ready]")).to_have_count(count)


@pytest.fixture
def pictures(chat: Chat) -> Pictures:
    chat.choose_base("")
    chat.choose_model("openai/sees")
    return Pictures(chat.page)


CAT: tuple[str, bytes, str] = ("cat.png", square(), "image/png")


def stored_name(service: Service, image: dict[str, Any]) -> str:
    return name_of(service.get(f"/api/images/{image['id']}").body)


def test_a_pasted_picture_goes_with_the_question_and_is_opened_larger(
    chat: Chat, pictures: Pictures, service: Service
) -> None:
    pictures.give("paste", CAT)
    pictures.expect_ready(1)
    expect(pictures.items.locator("img")).to_have_attribute("alt", "cat.png")
    answer = chat.ask("What is this?")
    chat.expect_complete(answer)
    expect(pictures.items).to_have_count(0)
    [question] = messages(service, chat.session_id, "user")
    [image] = question["images"]
    expect(chat.text(answer)).to_contain_text(f"I see {stored_name(service, image)}.")

    shown = chat.questions.locator("[data-question-pictures] img")
    expect(shown).to_have_attribute("alt", "cat.png")
    chat.reload()
    shown.click()
    large = chat.page.locator("[data-dialog=picture]")
    expect(large).to_be_visible()
    expect(large.locator("h2")).to_have_text("cat.png")
    chat.page.keyboard.press("Escape")
    expect(large).to_be_hidden()


def test_dropped_pictures_and_documents_each_go_to_their_place(
    chat: Chat, pictures: Pictures, service: Service
) -> None:
    pictures.give("drop", CAT, ("leave.txt", b"27 days of leave.", "text/plain"))
    pictures.expect_ready(1)
    expect(chat.upload("leave.txt")).to_be_visible()
    expect(chat.upload("cat.png")).to_have_count(0)


def test_a_large_photo_is_made_smaller_before_it_is_sent(
    chat: Chat, pictures: Pictures, tmp_path: Path
) -> None:
    photo = tmp_path / "photo.jpg"
    Image.effect_noise((3000, 1500), 90).save(photo, quality=95)
    with chat.page.expect_request("**/api/images") as sent:
        chat.add(photo)
    pictures.expect_ready(1)
    length = int(sent.value.all_headers()["content-length"])
    assert length < photo.stat().st_size / 2
    reply = sent.value.response()
    assert reply and (reply.json()["width"], reply.json()["height"]) == (1568, 784)


def test_a_picture_is_removed_or_read_as_a_document(
    chat: Chat, pictures: Pictures, service: Service
) -> None:
    pictures.give("paste", CAT)
    pictures.expect_ready(1)
    with chat.page.expect_response(
        lambda reply: reply.request.method == "DELETE" and "/api/images/" in reply.url
    ) as deleted:
        chat.page.get_by_role(
            "button", name=filled("en", "pictures.remove", name="cat.png")
        ).click()
    assert deleted.value.status == 204
    expect(pictures.items).to_have_count(0)
    expect(chat.input).to_be_focused()
    pictures.give("paste", CAT)
    chat.page.locator("[data-pictures-documents]").click()
    expect(chat.upload("cat.png")).to_be_visible()
    expect(pictures.items).to_have_count(0)


def test_a_picture_that_cannot_be_read_says_why_and_holds_the_question(
    chat: Chat, pictures: Pictures, faults: Any
) -> None:
    faults.expect("status of 415")
    pictures.give("paste", ("odd.png", b"no picture", "image/png"))
    failed = chat.page.locator("[data-picture=failed]")
    expect(failed.locator("[data-picture-problem]")).to_contain_text("PNG, JPEG, WebP, GIF")
    chat.input.fill("What is this?")
    chat.send.click()
    expect(chat.notice).to_contain_text(words("en", "pictures.failed"))
    expect(chat.questions).to_have_count(0)
    failed.locator("[data-picture-remove]").click()
    expect(chat.page.locator("[data-pictures]")).to_be_hidden()


def test_a_model_that_cannot_see_says_so_before_sending(
    chat: Chat, pictures: Pictures, model_server: ModelServer
) -> None:
    pictures.give("paste", CAT)
    pictures.expect_ready(1)
    chat.choose_model("builtin/extractive")
    sentence = filled("en", "pictures.blind", model=words("en", "model.builtin"))
    expect(pictures.blind).to_have_text(sentence)
    chat.input.fill("What is this?")
    chat.send.click()
    expect(chat.notice).to_contain_text(sentence)
    expect(chat.questions).to_have_count(0)
    chat.choose_model("openai/sees")
    expect(pictures.blind).to_be_hidden()
    chat.send.click()
    expect(chat.text(chat.answers.last)).to_contain_text("I see")


def test_pictures_for_a_model_that_cannot_see_go_to_the_documents(
    chat: Chat, pictures: Pictures
) -> None:
    chat.choose_model("builtin/extractive")
    pictures.give("paste", CAT)
    toast = filled("en", "pictures.to_documents", model=words("en", "model.builtin"))
    expect(chat.page.locator("[data-toast]")).to_contain_text(toast)
    expect(chat.upload("cat.png")).to_be_visible()


def test_an_edited_question_keeps_its_pictures(
    chat: Chat, pictures: Pictures, service: Service
) -> None:
    pictures.give("paste", CAT)
    pictures.expect_ready(1)
    chat.expect_complete(chat.ask("What is this?"))
    chat.questions.first.hover()
    chat.questions.first.locator("[data-edit]").click()
    chat.page.locator("[data-edit-field]").fill("And what is it called?")
    chat.page.keyboard.press("Enter")
    expect(chat.text(chat.answers.last)).to_contain_text(re.compile(r"I see [0-9a-f]{12}\."))
    first, second = messages(service, chat.session_id, "user")
    assert first["images"] == second["images"] and second["content"] == "And what is it called?"
