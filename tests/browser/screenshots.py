"""Take screenshots of the real page into docs/screenshots: `make screenshots`.

Every named state in four looks that together cover both themes, both languages, desktop and phone.
"""

import shutil
import sys
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.states import STATES
from tests.browser.states.stage import Look, Stage, open_stage, prepare
from tests.support.axe import violations
from tests.support.browser import launch, missing_browser, sign_in
from tests.support.modelserver import ModelServer
from tests.support.service import ROOT, Service

FOLDER = ROOT / "docs/screenshots"
READMES = {
    "screenshot": "finished-light-en-desktop",
    "screenshot.zh-CN": "finished-dark-zh-desktop",
}  # the screenshots they include
COLOURS = 255
WAIT_MS = 20_000
LOOKS = (
    Look("light", "en", "desktop"),
    Look("dark", "zh-CN", "desktop"),
    Look("light", "zh-CN", "phone"),
    Look("dark", "en", "phone"),
)


def main() -> int:
    """Retake all screenshots, or those of the states that are named."""
    if missing := missing_browser():
        print(missing, file=sys.stderr)
        return 1
    names = sys.argv[1:] or list(STATES)
    expect.set_options(timeout=WAIT_MS)
    if names == list(STATES):
        shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as home,
        ModelServer() as model_server,
        Service(Path(home)) as service,
    ):
        prepare(service, model_server, Path(home))
        with sync_playwright() as playwright:
            browser = launch(playwright)
            cookies = sign_in(browser, service)
            for look in LOOKS:
                _take(browser, service, cookies, look, names)
            browser.close()
    for name, picture in READMES.items():
        shutil.copyfile(FOLDER / f"{picture}.png", ROOT / f"docs/{name}.png")
    return 0


def _take(browser: Browser, service: Service, cookies: list, look: Look, names: list[str]) -> None:
    with open_stage(browser, service, cookies, look) as stage:
        for name in names:
            stage.reset()
            STATES[name](stage)
            _save(stage, f"{name}-{look}")
            assert not (found := violations(stage.page)), (name, str(look), found)


def _save(stage: Stage, name: str) -> None:
    """Save a screenshot with a palette: a third of the size without a visible difference."""
    stage.page.mouse.move(0, 0)
    picture = Image.open(BytesIO(stage.page.screenshot(animations="disabled", caret="hide")))
    target = FOLDER / f"{name}.png"
    picture.convert("RGB").quantize(
        COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
    ).save(target, optimize=True)
    print(f"{target.relative_to(ROOT)}  {target.stat().st_size // 1024} KB", flush=True)


if __name__ == "__main__":
    sys.exit(main())
