"""Every named state is accessible in both themes, and large enough for fingers on a phone."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.states import STATES
from tests.browser.states.stage import Look, Stage, open_stage, prepare
from tests.support.axe import AXE, violations
from tests.support.browser import sign_in
from tests.support.modelserver import ModelServer
from tests.support.service import Service
from tests.support.touch import small_targets

LOOKS = {"desktop": Look("light", "en", "desktop"), "phone": Look("light", "zh-CN", "phone")}
WIDER = "document.documentElement.scrollWidth > innerWidth"
SWITCH = """async (theme) => {
  document.documentElement.dataset.theme = theme;
  const passing = document.getAnimations()
    .filter((one) => one.effect.getComputedTiming().iterations !== Infinity);
  await Promise.allSettled(passing.map((one) => one.finished));
}"""
IN_PROGRESS = {"streaming", "upload", "opening", "earlier"}
BUSY = "[data-phase]:not([hidden]), [aria-busy=true], progress, [data-find-state=searching]"


@pytest.fixture(scope="module")
def furnished(
    tmp_path_factory: pytest.TempPathFactory, model_server: ModelServer
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("states-home")
    with Service(folder) as service:
        prepare(service, model_server, folder)
        yield service


@pytest.fixture(scope="module")
def own_cookies(browser: Browser, furnished: Service) -> list:
    return sign_in(browser, furnished)


@pytest.fixture(scope="module", params=LOOKS)
def stage(
    request: pytest.FixtureRequest, browser: Browser, furnished: Service, own_cookies: list
) -> Iterator[Stage]:
    look = LOOKS[request.param]
    with open_stage(browser, furnished, own_cookies, look, reduced_motion="reduce") as opened:
        yield opened


@pytest.mark.parametrize("name", STATES)
def test_a_state_is_for_everybody(stage: Stage, name: str) -> None:
    if not AXE.exists() and not os.environ.get("CI"):
        pytest.skip("axe-core is not installed: npm install")
    stage.reset()
    STATES[name](stage)
    page = stage.page
    if name not in IN_PROGRESS:
        expect(page.locator(BUSY).locator("visible=true")).to_have_count(0)
    found = {}
    for theme in ("light", "dark"):
        page.evaluate(SWITCH, theme)
        found[theme] = violations(page)
    assert found == {"light": [], "dark": []}
    assert not page.evaluate(WIDER)
    if stage.on_phone:
        assert small_targets(page) == []
