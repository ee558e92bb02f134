"""Which controls of a page are too small to touch: their area is probed as a finger would."""

from playwright.sync_api import Page

# Half of 44 CSS pixels (WCAG 2.2, 2.5.5), less a pixel for edges between two pixels. Controls in a
# line of text are exempt there: citations, links, footnotes. So are a browser's own check boxes
# whose label is as large.
SMALL = """() => {
  const reach = 21;
  const kinds = 'button, a[href], input, select, textarea, summary, [role=option], [role=menuitem]'
    + ', [role=menuitemradio], [role=menuitemcheckbox], [role=tab]';
  const inText = '.prose a, .prose .cite, .prose summary, .prose .footnote, p a, td a'
    + ', .prose input, .footnotes button';
  const area = (target) => target.closest('label')
    ?? (['checkbox', 'radio'].includes(target.type) ? target.labels?.[0] : null) ?? target;
  const shown = (target) => target.checkVisibility({ opacityProperty: true,
    visibilityProperty: true }) && !target.disabled && !target.closest('[inert]');
  const found = [];
  for (const target of document.querySelectorAll(kinds)) {
    if (!shown(target) || target.matches(inText)) continue;
    const own = area(target);
    own.scrollIntoView({ block: 'center', inline: 'center' });
    const box = own.getBoundingClientRect();
    if (box.width < 2 || box.height < 2) continue;
    const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
    const hits = (dx, dy) => {
      const hit = document.elementFromPoint(x + dx, y + dy);
      return hit !== null && (own.contains(hit) || hit.contains(own) && hit.matches('label'));
    };
    if (!hits(0, 0)) continue;
    const [wide, high] = [box.width >= 43 || hits(-reach, 0) && hits(reach, 0),
      box.height >= 43 || hits(0, -reach) && hits(0, reach)];
    if (wide && high) continue;
    const name = target.getAttribute('aria-label') ?? target.textContent.trim().slice(0, 30);
    found.push(`${target.outerHTML.match(/<[^>]*/)[0].slice(0, 100)} ${name}`
      + ` ${Math.round(box.width)}x${Math.round(box.height)}`);
  }
  return found;
}"""


def small_targets(page: Page) -> list[str]:
    """Return the controls that a finger can miss, each with its size. Scrolls the page."""
    found: list[str] = page.evaluate(SMALL)
    return found
