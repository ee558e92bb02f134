"""Answers as Markdown: streamed they end like the whole; folds; what is in them never runs."""

import pytest
from playwright.sync_api import expect

from tests.support.axe import violations
from tests.support.browser import Chat, modules_only
from tests.support.modelserver import ModelServer

DOCUMENT = r"""Euler: $e^{i\pi} + 1 = 0$ costs $5 and $10 [1].

\[
a = \vec{b} \\
\]

<details>
<summary>More \(x\)</summary>

- [x] done<br>twice
  - [ ] open

```text
</details>

a | b
```

</details>

```
x
```

| a | b |
| - | - |
| $x_1$ | 含**$y$**值<br>c |

$$\nosuch{x}$$ and `$z$`

<details open><summary>**One**</summary>and two</details>
end[^n] of [it][ref]

[ref]: https://example.org/ "Title"
[1]: a source
[^n]: A note.
"""
HOSTILE = """<details ontoggle="window.owned=1" open><summary>a</summary>b</details>

<details open>
<summary><img src="BEACON/a.png" onerror="window.owned=1"> [x](javascript:window.owned=1)</summary>

<img src="BEACON/b.png"> ![c](BEACON/c.png) <script>window.owned=1</script>

- [x] <svg onload="window.owned=1"> [x]: javascript:window.owned=1
- [ ] <br onclick="window.owned=1"> <br/onload="window.owned=1">

<details style="background: url(BEACON/d.png)"></details>
</details>

[a][evil] ![b][beacon] note[^evil] [^<img src=x onerror="window.owned=1">]

[evil]: javascript:window.owned=1
[beacon]: BEACON/e.png "onerror=window.owned=1"
[^evil]: <img src="BEACON/f.png"> [x](javascript:window.owned=1)
"""
# Streams a text in pieces, renders it whole, and compares once all formulas are drawn.
COMPARE = """async ([base, cases]) => {
  const { StreamRenderer, renderWhole } = await import(`${base}/js/markdown/stream.js`);
  const { createEngine } = await import(`${base}/js/markdown/engine.js`);
  const engine = createEngine(Object.fromEntries(
    ['copy', 'done', 'open', 'fold', 'footnotes', 'back'].map((key) => [key, key])
      .concat(['citation', 'footnote'].map((key) => [key, (n) => `${key} ${n}`])),
  ));
  const place = () => document.body.appendChild(document.createElement('div'));
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const html = (root) => new XMLSerializer().serializeToString(root);
  const different = [];
  for (const [text, cuts] of cases) {
    const [streamed, whole] = [place(), place()];
    const renderer = new StreamRenderer(streamed, engine);
    renderer.cite([1, 2]);
    let at = 0;
    for (const cut of [...cuts, text.length]) {
      renderer.append(text.slice(at, cut));
      at = cut;
      if (cuts.length < 9) await frame();
    }
    renderer.finish();
    renderWhole(whole, engine, text, [1, 2]);
    while (document.querySelector('code.formula:not(.open)')) await frame();
    if (html(streamed) !== html(whole)) different.push([text, html(streamed), html(whole)]);
    streamed.remove();
    whole.remove();
  }
  return different;
}"""


def _random(seed: int) -> int:
    return (seed * 1664525 + 1013904223) % 2**32


def test_a_streamed_text_ends_like_the_whole(chat: Chat) -> None:
    cases = [[DOCUMENT[:end], [end // 2]] for end in range(1, len(DOCUMENT) + 1)]
    seed = 7
    for _ in range(40):
        cuts = []
        for _ in range(6):
            seed = _random(seed)
            cuts.append(seed % len(DOCUMENT))
        cases.append([DOCUMENT * 2, sorted(cuts)])
    assert chat.page.evaluate(COMPARE, [modules_only(chat.page), cases]) == []


def test_a_fold_that_the_reader_opened_stays_open_while_the_answer_goes_on(chat: Chat) -> None:
    states = chat.page.evaluate(
        r"""async (base) => {
        const { StreamRenderer } = await import(`${base}/js/markdown/stream.js`);
        const { createEngine } = await import(`${base}/js/markdown/engine.js`);
        const root = document.body.appendChild(document.createElement('div'));
        const renderer = new StreamRenderer(root, createEngine({ fold: 'Details' }));
        const states = [];
        const add = async (text) => {
          renderer.append(text);
          await new Promise(requestAnimationFrame);
          await new Promise((done) => setTimeout(done, 100));
          states.push([...root.querySelectorAll('details')].map((fold) => fold.open));
        };
        const fold = '<details>\n<summary>More</summary>\n\ntext\n\n';
        await add(fold);
        await add(`</details>\n\n${fold}`);
        root.querySelector('summary').click();
        await add('text\n\n</details>\n\n');
        await add('one\n\ntwo\n\nthree\n\nfour\n\n');
        renderer.finish();
        states.push([...root.querySelectorAll('details')].map((fold) => fold.open));
        root.remove();
        return states;
    }""",
        modules_only(chat.page),
    )
    assert states == [[True], [False, True], [True, False], [True, False], [True, False]]


def test_what_a_fold_or_task_contains_neither_runs_nor_loads(
    chat: Chat, model_server: ModelServer
) -> None:
    origin = "/".join(chat.page.url.split("/")[:3])
    asked: list[str] = []
    chat.page.on("request", lambda request: asked.append(request.url))
    answer = chat.ask(HOSTILE.replace("BEACON", model_server.base_url), "echo")
    chat.expect_complete(answer)
    text = chat.text(answer)
    expect(text.locator("details")).to_have_count(1)
    text.locator("summary").click()
    hostile = text.locator("img, script, svg, [onclick], [ontoggle], [onload], [style]")
    expect(hostile).to_have_count(0)
    links = text.locator("a").evaluate_all("links => links.map((link) => link.protocol)")
    assert set(links) <= {"http:"}
    assert chat.page.evaluate("window.owned") is None
    assert all(url.startswith(origin) for url in asked)


def test_a_footnote_leads_to_its_text_and_back(chat: Chat) -> None:
    text = "Claim[^a] and [site][s].\n\n" + "line\n\n" * 60
    answer = chat.ask(f"{text}[^a]: Reason.\n\n[s]: https://e.com", "echo")
    chat.expect_complete(answer)
    text = chat.text(answer)
    expect(text.locator("a")).to_have_attribute("href", "https://e.com")
    number = text.locator("[data-footnote]")
    number.focus()
    chat.page.keyboard.press("Enter")
    reason = text.locator("[data-footnote-text]")
    expect(reason).to_be_focused()
    expect(reason).to_be_in_viewport()
    chat.page.keyboard.press("Tab")
    chat.page.keyboard.press("Enter")
    expect(number).to_be_focused()
    expect(number).to_be_in_viewport()
    chat.reload()
    expect(reason).to_contain_text("Reason.")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_rendered_answer_has_no_accessibility_violations(chat: Chat, theme: str) -> None:
    answer = chat.ask(DOCUMENT, "echo")
    chat.expect_complete(answer)
    expect(answer.locator(".katex").first).to_be_visible()
    chat.text(answer).locator("summary").first.click()
    assert violations(chat.page) == []
