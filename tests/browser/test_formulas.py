"""Formulas: drawn by KaTeX at need, readable, copied as TeX; what they contain never runs."""

import re

import pytest
from playwright.sync_api import BrowserContext, Route, expect

from tests.support.browser import LANGUAGES, PHONE, Chat, modules_only, until
from tests.support.modelserver import ModelServer

MIXED = r"""Euler: $e^{i\pi} + 1 = 0$ costs $5 and $10.

\[
\begin{aligned}
a &= \vec{b} \\
c &= \frac{d}{e}
\end{aligned}
\]

- in a list \( \sqrt{2} \) and $\ce{H2O}$

| a | b |
| - | - |
| $x_1$ | 含**$y$**值 |

$$\nosuch{x}$$ and `$z$`
"""
HOSTILE = r"""
$\href{javascript:window.owned=1}{a}$ \(\url{javascript:window.owned=1}\)
\(\includegraphics{BEACON/a.png}\) \(\htmlStyle{background: url(BEACON/b.png)}{x}\)
\(\htmlData{onclick=window.owned=1}{x}\) \(\htmlId{app-config}{x}\) \(\htmlClass{dialog}{x}\)
\(\text{<img src=x onerror="window.owned=1">}\) \(<script>window.owned=1</script>_x\)
\(\href{BEACON}{x}\) \(\def\x{\x\x}\x\) \(\fcolorbox{url(BEACON/c.png)}{red}{x}\)
\(\color{red;background:url(BEACON/d.png)} x\) \(\rule{9000em}{9000em}\) \(\vec{x}_{\fbox{y}}\)

$$
\unicode{x3c}script\unicode{x3e} </code></pre><img src=x onerror="window.owned=1">
$$
"""


def test_formulas_are_drawn_from_our_own_files_and_only_at_need(
    chat: Chat, context: BrowserContext
) -> None:
    asked: list[str] = []
    chat.page.on("request", lambda request: asked.append(request.url))
    chat.expect_complete(chat.ask("No formula for $5 and $10.", "echo"))
    assert not [url for url in asked if "katex" in url]
    answer = chat.ask(MIXED, "echo")
    chat.expect_complete(answer)
    text = chat.text(answer)
    expect(text.locator(".katex")).to_have_count(6)
    expect(text.locator("math annotation").first).to_have_text(r"e^{i\pi} + 1 = 0")
    expect(text.locator(".tex.block")).to_have_attribute("tabindex", "0")
    expect(text.locator("code.formula")).to_have_text(r"$$\nosuch{x}$$")
    expect(text).to_contain_text("costs $5 and $10.")
    expect(text.locator("code", has_text="$z$")).to_be_visible()
    until(chat.page, lambda: chat.page.evaluate("document.fonts.check('1em KaTeX_Main')"))
    assert [url for url in asked if url.endswith(".woff2")]
    origin = "/".join(chat.page.url.split("/")[:3])
    assert all(url.startswith(origin) for url in asked)
    chat.reload()
    expect(text.locator(".katex")).to_have_count(6)


def test_a_finished_formula_is_not_drawn_again(chat: Chat) -> None:
    drawn = chat.page.evaluate(
        r"""async (base) => {
        const { StreamRenderer } = await import(`${base}/js/markdown/stream.js`);
        const { createEngine } = await import(`${base}/js/markdown/engine.js`);
        const root = document.body.appendChild(document.createElement('div'));
        new StreamRenderer(root, createEngine({ citation: String })).append('$x$');
        while (!root.querySelector('.katex')) await new Promise(requestAnimationFrame);
        const renderer = new StreamRenderer(root, createEngine({ citation: String }));
        const draw = katex.__renderToDomTree;
        const drawn = [];
        katex.__renderToDomTree = (...given) => (drawn.push(given[0]), draw(...given));
        for (const char of '\\(a_0\\) and \\(a_0\\), \\(b_0\\)\n\n$$\nc_0\n$$\n\nend \\(d_0') {
          renderer.append(char);
          await new Promise(requestAnimationFrame);
          await new Promise((done) => setTimeout(done));
        }
        const written = () => root.querySelector('code.formula')?.textContent ?? '';
        while (!written().endsWith('0')) await new Promise(requestAnimationFrame);
        const open = written();
        renderer.finish();
        katex.__renderToDomTree = draw;
        root.remove();
        return [drawn, open];
    }""",
        modules_only(chat.page),
    )
    assert drawn == [["a_0", "b_0", "\nc_0\n"], r"\(d_0"]


def test_formulas_are_copied_as_tex(chat: Chat, context: BrowserContext) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    answer = chat.ask("Both $a^2$ here.\n\n$$\nb_1\n$$\n\nEnd \\(c\\).", "echo")
    chat.expect_complete(answer)
    expect(answer.locator(".katex")).to_have_count(3)
    answer.locator("[data-text]").evaluate("root => getSelection().selectAllChildren(root)")
    chat.page.keyboard.press("Control+c")
    copied = chat.page.evaluate("navigator.clipboard.readText()")
    assert re.sub(r"\n+", "\n", copied) == "Both $a^2$ here.\n$$\nb_1\n$$\nEnd \\(c\\)."
    part = "root => getSelection().selectAllChildren(root.querySelector('.katex-html .mord'))"
    answer.locator("[data-text]").evaluate(part)
    chat.page.keyboard.press("Control+c")
    assert chat.page.evaluate("navigator.clipboard.readText()") == "$a^2$"
    answer.locator("[data-copy]").click()
    expect(answer.locator("[data-copy]")).to_have_attribute("data-done", "")
    assert "$$\nb_1\n$$" in chat.page.evaluate("navigator.clipboard.readText()")


def test_what_a_formula_contains_neither_runs_nor_loads(
    chat: Chat, model_server: ModelServer
) -> None:
    origin = "/".join(chat.page.url.split("/")[:3])
    asked: list[str] = []
    chat.page.on("request", lambda request: asked.append(request.url))
    answer = chat.ask(HOSTILE.replace("BEACON", model_server.base_url), "echo")
    chat.expect_complete(answer)
    text = chat.text(answer)
    expect(text.locator(".katex").first).to_be_visible()
    expect(text.locator("code.formula:not(.open)")).to_have_count(0)
    hostile = text.locator("a, img, script, [onclick], [id], [data-onclick], .dialog")
    expect(hostile).to_have_count(0)
    expect(text.locator("code.formula", has_text="href").first).to_be_visible()
    assert chat.page.evaluate("window.owned") is None
    assert all(url.startswith(origin) for url in asked)
    assert chat.page.evaluate("document.querySelector('[data-scroll]').scrollHeight") < 20_000


def test_formulas_wait_as_source_until_katex_can_be_loaded(chat: Chat) -> None:
    waiting: list[Route] = []
    chat.page.route("**/katex.js", lambda route: waiting.append(route))
    answer = chat.ask("So $x^2$ and \\[ y \\]", "echo")
    chat.expect_complete(answer)
    expect(answer.locator("code.formula")).to_have_text(["$x^2$", "\\[ y \\]"])
    until(chat.page, lambda: waiting)
    waiting[0].continue_()
    expect(answer.locator(".katex")).to_have_count(2)


@pytest.mark.parametrize(
    "window", [{"viewport": PHONE, "has_touch": True, "is_mobile": True}], ids=["phone"]
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_wide_formulas_scroll_and_do_not_widen_the_page(chat: Chat, language: str) -> None:
    wide = r"\frac{" + " + ".join(f"a_{{{n}}}" for n in range(30)) + "}{b}"
    answer = chat.ask(f"Inline ${wide}$ and\n\n$$\n{wide}\n$$\n\n\\[ {wide} \\] so.", "echo")
    chat.expect_complete(answer)
    expect(answer.locator(".katex")).to_have_count(3)
    width = "document.querySelector('[data-scroll]').scrollWidth"
    assert chat.page.evaluate(width) <= PHONE["width"]
    for formula in answer.locator(".tex").all():
        assert formula.evaluate("box => box.scrollWidth > box.clientWidth")
