"""Draw the icons of static/img from icon.svg: `.venv/bin/python -m tests.browser.icons`."""

import re

from playwright.sync_api import sync_playwright

from tests.support.browser import launch
from tests.support.service import ROOT

IMAGES = ROOT / "static" / "img"
GREEN = "#1f6b58"
# name: pixels, share of the width that the drawing takes, and whether the ground fills the square,
# for systems that cut icons to a shape of their own
ICONS = {
    "icon-192.png": (192, 1.0, False),
    "icon-512.png": (512, 1.0, False),
    "icon-maskable.png": (512, 0.75, True),
    "apple-touch-icon.png": (180, 0.9, True),
}


def main() -> None:
    svg = (IMAGES / "icon.svg").read_text("utf-8")
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for name, (pixels, share, fills) in ICONS.items():
            page = browser.new_page(viewport={"width": pixels, "height": pixels})
            drawing = re.sub("<svg ", f'<svg width="{pixels * share}" ', svg, count=1)
            ground = GREEN if fills else "transparent"
            page.set_content(
                f'<body style="margin:0;display:grid;place-items:center;height:100vh;'
                f'background:{ground}">{drawing}'
            )
            page.screenshot(path=IMAGES / name, omit_background=not fills)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
