"""Earlier questions in the question field: ↑, ↓ and Escape."""

from playwright.sync_api import expect

from tests.support.browser import Chat

COMPOSING = """(input) => input.dispatchEvent(new KeyboardEvent('keydown', {
  key: 'ArrowUp', isComposing: true, bubbles: true, cancelable: true }))"""


def test_arrows_walk_through_the_questions_and_escape_empties_the_field(chat: Chat) -> None:
    press = chat.page.keyboard.press
    chat.input.press("ArrowUp")
    expect(chat.input).to_have_value("")
    for n, text in enumerate(("What is first?", "What is\nsecond?", "What is\nsecond?")):
        chat.expect_complete(chat.ask(text, None if n else "echo"))
        expect(chat.answers).to_have_count(n + 1)
    expect(chat.input).to_have_value("")

    press("ArrowUp")
    expect(chat.input).to_have_value("What is\nsecond?")
    press("ArrowUp")
    expect(chat.input).to_have_value("What is first?")
    press("ArrowUp")
    expect(chat.input).to_have_value("What is first?")
    press("ArrowDown")
    expect(chat.input).to_have_value("What is\nsecond?")
    press("ArrowDown")
    expect(chat.input).to_have_value("")
    press("ArrowUp")
    press("Escape")
    expect(chat.input).to_have_value("")

    press("ArrowUp")
    chat.input.press_sequentially(" And third?")
    press("ArrowUp")
    press("ArrowDown")
    press("Escape")
    expect(chat.input).to_have_value("What is\nsecond? And third?")
    press("End")
    press("Enter")
    chat.expect_complete(chat.answers.nth(3))
    expect(chat.questions).to_have_count(4)
    expect(chat.questions.last.locator("[data-text]")).to_have_text("What is\nsecond? And third?")


def test_arrows_belong_to_an_open_menu_and_to_an_input_method(chat: Chat) -> None:
    chat.expect_complete(chat.ask("A question", "echo"))
    chat.input.evaluate(COMPOSING)
    expect(chat.input).to_have_value("")
    chat.input.press_sequentially("/")
    expect(chat.page.locator("[data-prompts]")).to_be_visible()
    chat.page.keyboard.press("ArrowUp")
    expect(chat.input).to_have_value("/")
    chat.page.keyboard.press("Backspace")
    chat.page.keyboard.press("Shift+ArrowUp")
    expect(chat.input).to_have_value("")
    chat.page.keyboard.press("ArrowUp")
    expect(chat.input).to_have_value("A question")
