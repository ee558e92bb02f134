"""Accessibility checks by axe."""

from playwright.sync_api import Page

from tests.support.service import ROOT

AXE = ROOT / "node_modules/axe-core/axe.min.js"


# A dialog that is still appearing has other colours.
FINISH = """() => document.getAnimations()
  .filter((each) => each.effect.getComputedTiming().endTime <= 1000)
  .forEach((each) => each.finish())"""


def violations(page: Page) -> list[str]:
    """Return the violations that axe finds on a page, each with its elements."""
    page.evaluate(FINISH)
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE.read_text("utf-8"))
    # Preloading would parse imported style sheets with inline styles, which the page forbids. The
    # frames of drawings are closed: what axe sends to them would be a warning.
    found = page.evaluate(
        "axe.run(document, { resultTypes: ['violations'], preload: false, iframes: false })"
        ".then((result) => result.violations)"
    )
    return [f"{one['id']}: {[node['target'] for node in one['nodes']]}" for one in found]
