"""Targets that are too small for a finger."""

from playwright.sync_api import Page

LEAST_PX = 44  # WCAG 2.5.5; its exception for targets in a line of text applies here too
IN_LINES = "[data-text] a, [data-text] .cite, [data-footnote], [data-footnote-back], .skip-link"
SMALL = """([least, inLines]) => {
  const controls = 'a[href], button, input, select, textarea, summary, [role^=menuitem], '
    + '[role=option], [role=tab]';
  // What a tap reaches is larger than the control: a label, or the cell of a table.
  const larger = 'label:has(input[type=radio], input[type=checkbox]), th[scope=row]';
  const seen = (element) => element.checkVisibility({ visibilityProperty: true })
    && !element.closest('[inert], [hidden]') && !element.matches(inLines);
  const hits = (x, y, target) => target.contains(document.elementFromPoint(x, y))
    || document.elementFromPoint(x, y)?.closest('label')?.control === target;
  const names = [];
  for (const control of [...document.querySelectorAll(controls)].filter(seen)) {
    const target = control.closest(larger) ?? control;
    const box = target.getBoundingClientRect();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    if (!hits(x, y, target)) continue;
    const reach = least / 2 - 1;
    const across = (dx, dy) => hits(x - dx, y - dy, target) && hits(x + dx, y + dy, target);
    const wide = box.width >= least - 0.5 || across(reach, 0);
    const high = box.height >= least - 0.5 || across(0, reach);
    if (wide && high) continue;
    const hooks = control.getAttributeNames().filter((name) => /^data-/.test(name)).join(' ');
    names.push(`${control.localName} ${hooks || control.className}:`
      + ` ${Math.round(box.width)}x${Math.round(box.height)}`);
  }
  return [...new Set(names)];
}"""


def small_targets(page: Page) -> list[str]:
    """Return what is visible, takes taps, and is too small, with its size."""
    return list(page.evaluate(SMALL, [LEAST_PX, IN_LINES]))
