"""Code in answers: colours, wrapping, and what streaming keeps."""

import random
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.support.browser import Chat, until

PYTHON = '''import os


def read(path: str) -> str:
    """A text

    over empty lines."""
    with open(path) as file:  # a comment
        return file.read()


print(read("a"), 42)
'''
DOCUMENT = f"""Some **words**, then code:
```python
{PYTHON}```
1. A list with code:

   ```bash
   # install
   pip install "requests"
   ```
2. and more `code`

| a | b |
|:--|--:|
| 1 | 2 |

~~~unknown
plain <b>
~~~
> ```js
> let a = 1;
> ```

```sql
SELECT 'never closed'
FROM t
"""
RENDERERS = """async () => {
  const main = document.querySelector('script[src*="js/main.js"]').src;
  const [stream, engine] = await Promise.all(
    ['stream', 'engine'].map((name) => import(new URL(`markdown/${name}.js`, main).href)));
  const [copy, wrap, csv, draw] = ['Copy', 'Wrap', 'CSV', 'Draw'];
  const labels = { copy, wrap, csv, draw, citation: (n) => `Source ${n}` };
  const made = engine.createEngine(labels);
  const box = () => document.querySelector('[data-thread]').appendChild(
    document.createElement('div'));
  const frame = () => new Promise(requestAnimationFrame);
  window.whole = (text) => {
    const root = box();
    stream.renderWhole(root, made, text, [1]);
    return root;
  };
  window.streamed = async (pieces, wait, during = () => {}) => {
    const root = box();
    const renderer = new stream.StreamRenderer(root, made);
    renderer.cite([1]);
    for (const piece of pieces) {
      renderer.append(piece);
      if (wait) await frame();
      if (wait === 'idle') await new Promise((done) => window.requestIdleCallback(done));
      during(root);
    }
    renderer.finish();
    return root;
  };
  window.bare = (root) => root.innerHTML.replaceAll(/<span class="(?:c-|chunk)[^>]*>/g, '<span>')
    .replaceAll(/<.?span>/g, '');
}"""
SAME_TEXT = """async (cases) => {
  const differing = [];
  for (const [text, pieces, wait] of cases) {
    const [one, other] = [window.whole(text), await window.streamed(pieces, wait)];
    if (window.bare(one) !== window.bare(other)) {
      differing.push([pieces, window.bare(one), window.bare(other)]);
    }
    one.remove();
    other.remove();
  }
  return differing;
}"""
SAME_COLOURS = """async ([text, pieces]) => {
  const seen = new Map();
  let changed = 0;
  const watch = (root) => {
    for (const chunk of root.querySelectorAll('.chunk')) {
      changed += seen.get(chunk) !== (seen.has(chunk) ? chunk.outerHTML : undefined);
      seen.set(chunk, chunk.outerHTML);
    }
  };
  window.roots = [window.whole(text), await window.streamed(pieces, 'idle', watch)];
  return [changed, [...seen.keys()].filter((chunk) => chunk.isConnected).length, seen.size];
}"""
EQUAL = """() => {
  const [one, other] = window.roots.map((root) => root.innerHTML);
  return one === other && window.roots.every((root) =>
    [...root.querySelectorAll('figure.code')].filter((figure) =>
      !figure.querySelector('.chunk')).length === 1);
}"""


def pieces_of(text: str, rng: random.Random, longest: int) -> list[str]:
    """Cut a text at random places."""
    pieces = []
    while text:
        size = rng.randint(1, longest)
        pieces.append(text[:size])
        text = text[size:]
    return pieces


@pytest.fixture
def renderers(chat: Chat) -> Page:
    """The page, with functions that render a text whole and piece by piece."""
    chat.page.evaluate(RENDERERS)
    return chat.page


def test_every_prefix_ends_like_the_whole(renderers: Page) -> None:
    rng = random.Random(1)
    cases: list[Any] = [
        [DOCUMENT[:end], pieces_of(DOCUMENT[:end], rng, 1 + end // 2), False]
        for end in range(1, len(DOCUMENT) + 1)
    ]
    assert not renderers.evaluate(SAME_TEXT, cases)


def test_every_cut_in_frames_ends_like_the_whole(renderers: Page) -> None:
    rng = random.Random(2)
    cases = [[DOCUMENT, pieces_of(DOCUMENT, rng, 120), True] for _ in range(25)]
    assert not renderers.evaluate(SAME_TEXT, cases)


def test_streamed_code_has_the_colours_of_the_whole_and_keeps_them(renderers: Page) -> None:
    text = DOCUMENT.replace(PYTHON, PYTHON * 12)
    pieces = pieces_of(text, random.Random(3), 40)
    renderers.evaluate("() => window.whole('```py\\nimport os\\n```')")
    until(renderers, lambda: renderers.locator(".chunk .c-keyword").count())
    changed, kept, seen = renderers.evaluate(SAME_COLOURS, [text, pieces])
    assert changed == 0 and seen > 5 and kept == seen
    until(renderers, lambda: renderers.evaluate(EQUAL))


def test_code_is_coloured_wrapped_and_copied(chat: Chat, context: BrowserContext) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    asked: list[str] = []
    chat.page.on("request", lambda request: asked.append(request.url))
    answer = chat.ask(f"```python\n{PYTHON}```\n\n```nope\nlet a = 1\n```", "echo")
    chat.expect_complete(answer)
    figure = answer.locator("figure.code").first
    expect(figure.locator(".c-keyword").first).to_have_text("import")
    assert figure.locator("code").text_content() == PYTHON
    expect(answer.locator("figure.code").last.locator("code span")).to_have_count(0)
    assert not answer.locator("figure.code [style]").count()
    assert {url.rpartition("/")[2] for url in asked if "/highlight/" in url} == {
        "core.js",
        "python.js",
    }
    wrap = figure.locator("[data-wrap-code]")
    wrap.click()
    expect(wrap).to_have_attribute("aria-pressed", "true")
    expect(figure.locator("pre")).to_have_css("white-space-collapse", "preserve")
    expect(figure.locator("pre")).to_have_css("text-wrap-mode", "wrap")
    figure.locator("[data-copy-code]").click()
    expect(figure.locator("[data-copy-code]")).to_have_attribute("data-done", "")
    assert chat.page.evaluate("navigator.clipboard.readText()") == PYTHON


def test_selected_code_is_copied_as_it_was_written(chat: Chat) -> None:
    answer = chat.ask(f"```python\n{PYTHON}```", "echo")
    chat.expect_complete(answer)
    expect(answer.locator(".chunk")).not_to_have_count(0)
    until(chat.page, lambda: not answer.locator("code").evaluate("code => code.lastChild.data"))
    selected = answer.locator("code").evaluate(
        "code => { getSelection().selectAllChildren(code); return getSelection().toString(); }"
    )
    assert selected.rstrip("\n") == PYTHON.rstrip("\n")


def test_code_stays_plain_where_the_library_does_not_load(chat: Chat, faults: Any) -> None:
    faults.expect("Failed to load resource", "ERR_FAILED")
    chat.page.route("**/vendor/highlight/*", lambda route: route.abort())
    with chat.page.expect_event("requestfailed", lambda request: request.url.endswith("python.js")):
        answer = chat.ask(f"```python\n{PYTHON}```", "echo")
    chat.expect_complete(answer)
    assert answer.locator("code").text_content() == PYTHON
