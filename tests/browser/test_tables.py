"""Tables in answers: while they are typed, on a phone, and as CSV."""

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.support.browser import PHONE, Chat

TABLE = """The prices:

| Item | Price | Change | Remark that makes the table wide | Another remark that makes it wider |
|:--|--:|--:|---|---|
| **Licence** | 1,200.50 | -5 | =HYPERLINK("https://example.org") | say "x" |
| Support | 300 | +3% | `a` and [a link](https://example.org) | two words |

The end.
"""
CSV = (
    "Item,Price,Change,Remark that makes the table wide,Another remark that makes it wider\r\n"
    'Licence,"1,200.50",-5,"\'=HYPERLINK(""https://example.org"")","say ""x"""\r\n'
    "Support,300,+3%,a and a link,two words\r\n"
)
TYPED = """async (text) => {
  const main = document.querySelector('script[src*="js/main.js"]').src;
  const [stream, engine] = await Promise.all(
    ['stream', 'engine'].map((name) => import(new URL(`markdown/${name}.js`, main).href)));
  const root = document.querySelector('[data-scroll]').appendChild(document.createElement('div'));
  root.className = 'prose';
  const labels = { copy: 'Copy', wrap: 'Wrap', csv: 'CSV', draw: 'Draw', citation: String };
  const renderer = new stream.StreamRenderer(root, engine.createEngine(labels));
  const [wrong, places] = [[], []];
  for (let at = 0; at < text.length; at += 1) {
    renderer.append(text[at]);
    await new Promise(requestAnimationFrame);
    const box = root.querySelector('.table');
    if (/\\|/.test(root.innerText) || root.querySelector('h2')) wrong.push(text.slice(0, at + 1));
    if (!box) continue;
    if (at === 180) box.scrollLeft = 60;
    if (at > 180) places.push(box.scrollLeft);
  }
  renderer.finish();
  places.push(root.querySelector('.table').scrollLeft);
  return [wrong, [...new Set(places)]];
}"""


def test_a_table_is_copied_as_csv_that_no_spreadsheet_calculates(
    chat: Chat, context: BrowserContext
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    answer = chat.ask(TABLE, "echo")
    chat.expect_complete(answer)
    button = answer.locator("[data-copy-table]")
    button.click()
    expect(button).to_have_attribute("data-done", "")
    # Chromium gives the clipboard's line ends as LF.
    assert chat.page.evaluate("navigator.clipboard.readText()").replace("\r\n", "\n") == (
        CSV.replace("\r\n", "\n")
    )


@pytest.mark.parametrize("window", [{"viewport": PHONE, "has_touch": True, "is_mobile": True}])
def test_a_table_scrolls_in_its_own_box_while_it_is_typed(chat: Chat) -> None:
    wrong, places = chat.page.evaluate(TYPED, TABLE)
    assert not wrong
    assert places == [60]
    assert chat.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
