"""XSS by markup: payloads of known attacks, shown whole and streamed, neither run nor fetch."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import DRAWN_OR_NOT, Chat, Faults, modules_only
from tests.support.imported import import_chat
from tests.support.modelserver import ModelServer
from tests.support.payloads import DIAGRAMS, PAYLOADS, armed
from tests.support.service import Service

LEAST = 60
# What a rendered text may consist of. Elements of a formula stand in `.katex`.
STRANGE = """(roots) => roots.flatMap((root) => [...root.querySelectorAll('*')]
  .filter((element) => !element.closest('.katex'))
  .filter((element) => !element.matches('a, blockquote, br, button, code, del, details, div, em,'
    + 'figcaption, figure, h1, h2, h3, h4, h5, h6, hr, li, ol, p, pre, s, span, strong, summary,'
    + 'table, tbody, td, th, thead, tr, ul'))
  .map((element) => element.outerHTML.slice(0, 200)))"""
ATTRIBUTES = """(roots) => roots.flatMap((root) => [...root.querySelectorAll('*')])
  .flatMap((element) => [...element.attributes].map(({ name, value }) => [name, value]))
  .filter(([name, value]) => /^on|^id$|^src|^srcset|^formaction|:href$/.test(name)
    || (name === 'href' && !/^(?:https?:|mailto:)/.test(value))
    || (name === 'style' && /url|import|expression/.test(value)))"""
# In its frame, a diagram may name what the policy of the frame then does not load.
SCRIPTED = """(root) => [...root.querySelectorAll('*')]
  .flatMap((element) => [...element.attributes].map(({ name, value }) => `${name}=${value}`))
  .filter((text) => /^on|=\\s*javascript:/i.test(text))"""
STREAM = """async ([base, texts]) => {
  const { StreamRenderer } = await import(`${base}/js/markdown/stream.js`);
  const { createEngine } = await import(`${base}/js/markdown/engine.js`);
  const engine = createEngine({ citation: String, footnote: String });
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  for (const text of texts) {
    const root = document.body.appendChild(document.createElement('div'));
    root.dataset.text = '';
    const renderer = new StreamRenderer(root, engine);
    for (let at = 0; at < text.length; at += 41) {
      renderer.append(text.slice(at, at + 41));
      await frame();
    }
    renderer.finish();
  }
  await frame();
}"""
REFUSES_STRINGS = """() => {
  const refused = (write) => {
    try { write(document.createElement('div')); return false; } catch (error) {
      return error instanceof TypeError;
    }
  };
  return refused((it) => { it.innerHTML = '<b></b>'; })
    && refused(() => new DOMParser().parseFromString('<b></b>', 'text/html'))
    && refused(() => trustedTypes.createPolicy('chatapp-test', {}));
}"""


@pytest.fixture
def beacon(chat: Chat, model_server: ModelServer) -> Iterator[str]:
    """An address that nothing may be asked of. Afterwards no script may have run."""
    answered: list[str] = []
    chat.page.context.on("response", lambda response: answered.append(response.url))
    chat.page.on("dialog", lambda dialog: answered.append(f"dialog {dialog.message}"))
    before = len(model_server.requests)
    yield model_server.base_url.removesuffix("/v1")
    for frame in chat.page.frames:
        assert frame.evaluate("self.owned") is None
    origin = "/".join(chat.page.url.split("/")[:3])
    assert [url for url in answered if not url.startswith((origin, "blob:"))] == []
    assert [one.path for one in model_server.requests[before:] if "/v1/" not in one.path] == []


def test_there_are_enough_payloads() -> None:
    every = [one for group in PAYLOADS.values() for one in group] + list(DIAGRAMS)
    assert len(set(every)) == len(every) >= LEAST


@pytest.mark.parametrize("group", PAYLOADS)
def test_markup_neither_runs_nor_fetches(
    chat: Chat, service: Service, beacon: str, faults: Faults, group: str
) -> None:
    texts = [armed(payload, beacon) for payload in PAYLOADS[group]]
    opened = import_chat(service, group, *((text, text) for text in texts))
    chat.open(f"/c/{opened}")
    expect(chat.answers).to_have_count(len(texts))
    expect_harmless(chat.page, 2 * len(texts))
    chat.page.evaluate(STREAM, [modules_only(chat.page), texts])
    expect_harmless(chat.page, len(texts))
    assert not faults.left()
    faults.expect("TrustedHTML", "Content Security [Pp]olicy", "CSP: ")
    assert chat.page.evaluate(REFUSES_STRINGS)


def expect_harmless(page: Page, count: int) -> None:
    """Check the texts that are shown, with everything open in them."""
    shown = page.locator("[data-text]")
    expect(shown).to_have_count(count)
    expect(page.locator("code.formula:not(.open) + .katex")).to_have_count(0)
    page.evaluate(
        "document.querySelectorAll('[data-text] details').forEach((fold) => { fold.open = true; })"
    )
    for button in page.locator("[data-text] figure [data-wrap-code]").all():
        button.dispatch_event("click")
    assert shown.evaluate_all(STRANGE) == []
    assert shown.evaluate_all(ATTRIBUTES) == []


@pytest.mark.parametrize("number", range(len(DIAGRAMS)))
def test_a_diagram_neither_runs_nor_fetches(
    chat: Chat,
    service: Service,
    beacon: str,
    faults: Faults,
    number: int,
) -> None:
    faults.expect("TrustedHTML", "Content Security [Pp]olicy", "CSP: ")
    text = armed(DIAGRAMS[number], beacon)
    answer = f"```mermaid\n{text}\n```\n"
    chat.open(f"/c/{import_chat(service, 'Diagram', ('Draw it', answer))}")
    figure = chat.answers.last.locator("figure.code")
    figure.locator("[data-draw]").click()
    expect(chat.answers.last.locator(DRAWN_OR_NOT)).to_have_count(1)
    if not figure.locator("iframe").count():
        return
    svg = figure.frame_locator("iframe").locator("svg").first
    expect(svg).to_be_attached()
    assert svg.evaluate(SCRIPTED) == []
    expect(svg.locator("script, iframe, object, embed")).to_have_count(0)
    for node in svg.locator(".node, .actor, a").all()[:4]:
        node.dispatch_event("click")
    assert "/c/" in chat.page.url
    assert chat.page.evaluate(REFUSES_STRINGS)
