"""States of a question and its answer."""

from playwright.sync_api import expect

from tests.browser.states.stage import LEAVE, Stage
from tests.support import showcase

EXPENSES = {"en": "How do I claim travel expenses?", "zh-CN": "出差的费用怎样报销？"}
BALANCES = {"en": "How do I read the balances?", "zh-CN": "怎样读取年假余额？"}
PART = {"en": "How much for part of a year?", "zh-CN": "不满一年怎样计算？"}
AWAY = {"en": "What should I do before I am away?", "zh-CN": "休假之前要做什么？"}


def empty(stage: Stage) -> None:
    """The empty page of a user who has documents."""
    expect(stage.page.locator("[data-own-list] [data-suggestion]").first).to_be_visible()


def streaming(stage: Stage) -> None:
    """A streaming answer."""
    answer = stage.ask(LEAVE, "Atlas, held")
    expect(stage.chat.text(answer)).to_contain_text(
        "Days that" if stage.language == "en" else "结转的"
    )
    expect(answer).to_have_attribute("data-status", "running")


def finished(stage: Stage) -> None:
    """A finished answer with an open source."""
    answer = stage.answered()
    cited = answer.locator('.cite[data-n="1"]').first
    cited.click()
    expect(stage.chat.panel.locator("[data-mark]").first).to_be_visible()
    if stage.on_phone:  # show the cited sentence above the panel
        cited.evaluate(
            "chip => { document.querySelector('[data-scroll]').scrollTop"
            " += chip.getBoundingClientRect().top - 260 }"
        )
    else:
        answer.locator("[data-actions]").scroll_into_view_if_needed()


def error(stage: Stage) -> None:
    """A failed answer: partial text, error and actions."""
    answer = stage.ask(EXPENSES)
    expect(answer).to_have_attribute("data-status", "failed")
    expect(stage.chat.error(answer)).to_be_in_viewport()


def why(stage: Stage) -> None:
    """Why this answer: the candidates of the search."""
    fold = stage.answered().locator("[data-why]")
    fold.locator("summary").click()
    expect(fold.locator("table").first).to_be_visible()
    fold.evaluate("(it) => it.scrollIntoView({ block: 'center' })")


def quotation(stage: Stage) -> None:
    """The built-in model, which quotes documents."""
    stage.choose_handbook()
    stage.chat.choose_model("builtin/extractive")
    stage.chat.expect_complete(stage.chat.ask(LEAVE[stage.language]))


def edited(stage: Stage) -> None:
    """A question that is being edited."""
    stage.answered()
    question = stage.chat.questions.last
    question.hover()
    question.locator("[data-edit]").click()
    field = question.locator("[data-edit-field]")
    expect(field).to_be_focused()
    expect(field).to_be_in_viewport()


def _shown(stage: Stage, question: dict, answer: dict, reasoning: str = "") -> None:
    text = question[stage.language]
    opened = stage.import_chat(text, (text, answer[stage.language]), reasoning=reasoning)
    stage.chat.open(f"/c/{opened}")


def code(stage: Stage) -> None:
    """Coloured code, a table, and a diagram that is drawn; the model's thinking, folded."""
    _shown(stage, BALANCES, showcase.CODE, showcase.THOUGHTS[stage.language])
    answer = stage.chat.answers.last
    expect(answer.locator(".c-keyword").first).to_be_visible()
    answer.locator("[data-draw]").click()
    expect(answer.locator("figure[data-drawn]")).to_be_visible()
    if stage.on_phone:
        answer.locator("figure").first.evaluate("(it) => it.scrollIntoView()")


def thinking(stage: Stage) -> None:
    """The model's thinking, unfolded."""
    _shown(stage, BALANCES, showcase.CODE, showcase.THOUGHTS[stage.language])
    stage.chat.answers.last.locator("[data-reasoning] summary").click()
    expect(stage.page.locator("[data-reasoning-text]")).to_be_visible()
    stage.page.locator("[data-scroll]").evaluate("(it) => { it.scrollTop = 0; }")


def formulas(stage: Stage) -> None:
    """Formulas in lines and blocks."""
    _shown(stage, PART, showcase.FORMULAS)
    expect(stage.page.locator(".katex").first).to_be_visible()
    expect(stage.page.locator("code.formula")).to_have_count(0)
    stage.page.evaluate("document.fonts.ready")


def footnotes(stage: Stage) -> None:
    """Tasks, a fold that is open, footnotes and a reference link."""
    _shown(stage, AWAY, showcase.NOTES)
    fold = stage.chat.answers.last.locator("[data-text] details")
    fold.locator("summary").click()
    expect(fold.locator("blockquote")).to_be_visible()
    if stage.on_phone:
        stage.page.locator("[data-footnote-text]").last.scroll_into_view_if_needed()


STATES = {
    "empty": empty,
    "streaming": streaming,
    "finished": finished,
    "error": error,
    "why": why,
    "quotation": quotation,
    "edited": edited,
    "code": code,
    "thinking": thinking,
    "formulas": formulas,
    "footnotes": footnotes,
}
