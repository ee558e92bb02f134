"""States of a chat as a whole: long ones, its menu, settings, links; and its prompts."""

import re

from playwright.sync_api import Route, expect

from tests.browser.states.stage import BASES, MODEL, Stage
from tests.support.browser import until
from tests.support.handbook import CHINESE, ENGLISH

TURNS = 24
LONG = {"en": "All about the handbook", "zh-CN": "员工手册问答"}
PROMPTS = {
    "en": (
        ("Summary", "Summarise the text below in five sentences."),
        ("Translate", "Translate into Chinese, in plain words:"),
        ("Reply", "Write a friendly reply to this message:"),
    ),
    "zh-CN": (
        ("总结", "请用五句话总结下面的内容。"),
        ("翻译", "请翻译成英文，用词简单："),
        ("回复", "请礼貌地回复下面的邮件："),
    ),
}
ROLE = {
    "en": "You answer questions of new colleagues, in short sentences.",
    "zh-CN": "你负责解答新同事的问题，语句简短。",
}
PRESETS = {
    "en": (
        ("Contract law", {"temperature": 0.2}),
        ("New colleagues", {"system_prompt": ROLE["en"]}),
    ),
    "zh-CN": (("合同审查", {"temperature": 0.2}), ("新人答疑", {"system_prompt": ROLE["zh-CN"]})),
}
PART_OF = re.compile(r"/messages\?")


def _long(stage: Stage) -> str:
    chapters = ENGLISH if stage.language == "en" else CHINESE
    turns = [
        (chapters[n % len(chapters)][0], "\n\n".join(chapters[n % len(chapters)][1]))
        for n in range(TURNS)
    ]
    return stage.import_chat(LONG[stage.language], *turns)


def opening(stage: Stage) -> None:
    """A chat that is being opened."""
    held: list[Route] = []
    path = f"/c/{_long(stage)}"
    stage.page.route(PART_OF, lambda route: held.append(route))
    stage.page.goto(path)
    expect(stage.page.locator("[data-opening-skeleton]")).to_be_visible()


def unopened(stage: Stage) -> None:
    """A chat that could not be opened."""
    stage.faults.expect("ERR_FAILED")
    path = f"/c/{_long(stage)}"
    stage.page.route(PART_OF, lambda route: route.abort())
    stage.page.goto(path)
    expect(stage.page.locator("[data-opening-error]")).to_be_visible()


def earlier(stage: Stage) -> None:
    """The top of what is loaded of a long chat, while earlier messages come."""
    held: list[Route] = []
    stage.chat.open(f"/c/{_long(stage)}")
    expect(stage.chat.questions.first).to_be_attached()
    stage.page.route(PART_OF, lambda route: held.append(route))
    stage.page.locator("[data-scroll]").evaluate("(it) => { it.scrollTop = 0; }")
    until(stage.page, lambda: held)
    expect(stage.page.locator("[data-edge=earlier] [data-edge-skeleton]")).to_be_visible()


def deletion(stage: Stage) -> None:
    """Before a message is deleted."""
    stage.answered()
    question = stage.chat.questions.last
    question.hover()
    question.locator("[data-delete-message]").click()
    expect(stage.page.locator("[data-dialog=confirm]")).to_be_visible()


def title_menu(stage: Stage) -> None:
    """The menu behind the title."""
    stage.answered()
    stage.page.locator("[data-title-button]").click()
    expect(stage.page.locator("[data-share]")).to_be_visible()


def chat_menu(stage: Stage) -> None:
    """The menu of a chat in the list."""
    row = stage.side("[data-session]").first
    row.hover()
    row.locator("[data-session-menu]").click()
    expect(stage.page.locator("[data-session-entries] [data-delete]")).to_be_visible()


def chat_settings(stage: Stage) -> None:
    """The settings of this chat."""
    stage.chat.menu("[data-chat-settings]")
    fields = stage.page.locator("[data-chat-setting]")
    fields.first.fill(ROLE[stage.language])
    stage.page.locator("[data-chat-setting=temperature]").fill("0.3")


def temporary(stage: Stage) -> None:
    """A temporary chat."""
    stage.chat.menu("[data-chat-temporary]")
    stage.answered()
    expect(stage.page.locator("[data-temporary-note]")).to_be_visible()


def share(stage: Stage) -> None:
    """A link to a chat that was just made."""
    _shared(stage)


def _shared(stage: Stage) -> str:
    stage.answered()
    stage.chat.menu("[data-share]")
    stage.page.locator("[data-share-create]").click()
    link = stage.page.locator("[data-share-link]")
    expect(link).to_be_visible()
    return link.input_value()


def shared(stage: Stage) -> None:
    """A shared chat, as a stranger sees it."""
    stage.page.goto(_shared(stage))
    expect(stage.page.locator(".cite").first).to_be_visible()


def ended(stage: Stage) -> None:
    """A link that has ended."""
    stage.faults.expect("404")
    stage.page.goto("/shared/nothing-behind-this-link-any-more")
    expect(stage.page.locator("[data-shared-ended]")).to_be_visible()


def sign_in(stage: Stage) -> None:
    """The sign-in page."""
    stage.page.context.clear_cookies()
    stage.page.goto("/sign-in")
    expect(stage.page.locator("[data-login]")).to_be_visible()


def prompts(stage: Stage) -> None:
    """Saved prompts, offered after `/`."""
    with_prompts(stage)
    stage.chat.input.press_sequentially("/")
    expect(stage.page.locator("[data-prompt]").nth(2)).to_be_visible()


def prompt_list(stage: Stage) -> None:
    """The dialog of saved prompts."""
    prompts(stage)
    stage.page.locator("[data-prompts] [role=option]").last.click()
    dialog = stage.page.locator("[data-dialog=prompts]")
    expect(dialog.locator("[data-saved-prompt]").nth(2)).to_be_visible()


def presets(stage: Stage) -> None:
    """The dialog of presets."""
    for item in stage.service.get("/api/presets").json["items"]:
        stage.service.request("DELETE", f"/api/presets/{item['id']}")
    bases = {base["name"]: base["id"] for base in stage.service.get("/api/knowledge").json["items"]}
    for name, settings in PRESETS[stage.language]:
        body = {"supplier": "Atlas", "model": MODEL, "settings": settings}
        base = bases[BASES[stage.language]]
        body |= {"name": name, "knowledge_base_id": base}
        assert stage.service.post("/api/presets", body).status == 201
    stage.chat.open()
    stage.chat.menu("[data-presets]")
    expect(stage.page.locator("[data-dialog=presets] [data-preset-use]").nth(1)).to_be_visible()


def with_prompts(stage: Stage) -> None:
    """Keep the prompts of this language alone."""
    for item in stage.service.get("/api/prompts").json["items"]:
        stage.service.request("DELETE", f"/api/prompts/{item['id']}")
    for name, text in PROMPTS[stage.language]:
        made = stage.service.post("/api/prompts", {"name": name, "text": text})
        assert made.status == 201, made.body
    stage.chat.open()


STATES = {
    "opening": opening,
    "unopened": unopened,
    "earlier": earlier,
    "deletion": deletion,
    "title-menu": title_menu,
    "chat-menu": chat_menu,
    "chat-settings": chat_settings,
    "temporary": temporary,
    "share": share,
    "shared": shared,
    "ended": ended,
    "sign-in": sign_in,
    "prompts": prompts,
    "prompt-list": prompt_list,
    "presets": presets,
}
