"""What must hold in every named state of the page: no violation of axe, room for a finger.

On a phone, in both themes; `make screenshots` runs axe in all looks.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.states import STATES
from tests.browser.states.stage import Look, Stage, open_stage, prepare
from tests.support.axe import violations
from tests.support.browser import sign_in
from tests.support.modelserver import ModelServer
from tests.support.service import Service
from tests.support.touch import small_targets

THEMES = ("light", "dark")
# The other theme is drawn, and nothing moves: the colour of a child changes after its parent's.
STILL = """async () => {
  for (let still = 0; still < 3; still += 1) {
    await new Promise(requestAnimationFrame);
    const moving = document.getAnimations();
    if (moving.length) still = 0;
    await Promise.all(moving.map((one) => one.finished.catch(() => null)));
  }
}"""
PHONE = Look("light", "zh-CN", "phone")


@pytest.fixture(scope="module")
def stage(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, model_server: ModelServer
) -> Iterator[Stage]:
    home = tmp_path_factory.mktemp("states")
    with Service(home) as service:
        prepare(service, model_server, home)
        cookies = sign_in(browser, service)
        with open_stage(browser, service, cookies, PHONE, reduced_motion="reduce") as opened:
            yield opened


@pytest.mark.parametrize("name", list(STATES))
def test_everybody_can_use_the_page(stage: Stage, name: str) -> None:
    stage.reset()
    STATES[name](stage)
    stage.page.mouse.move(0, 0)
    for theme in THEMES:
        stage.page.emulate_media(color_scheme=theme)
        stage.page.evaluate(STILL)
        assert violations(stage.page) == [], theme
    assert small_targets(stage.page) == []
    stage.page.emulate_media(color_scheme=stage.look.theme)
