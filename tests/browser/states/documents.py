"""States of documents and pictures."""

import re
from typing import Any

from playwright.sync_api import Route, expect

from tests.browser.states.stage import BASES, MODEL, Stage
from tests.support.browser import words
from tests.support.pictures import CHINESE_FONT, page, saved

DAYS = {"en": "How many days of leave do I get?", "zh-CN": "每年有多少天年假？"}
RECEIPT = {
    "en": ("HOTEL MAASZICHT", "2 nights   248.00", "Breakfast  24.00", "TOTAL EUR 272.00"),
    "zh-CN": ("海港宾馆", "住宿两晚    860.00", "早餐        60.00", "合计 人民币 920.00"),
}
ABOUT_RECEIPT = {"en": "Is this receipt within the limits?", "zh-CN": "这张发票符合标准吗？"}
UPLOADS = {
    "en": (
        "Travel rules.pdf",
        "Hotel limits 2026.docx",
        "Pay scale.xlsx",
        "Minutes of May.md",
        "Minutes of June.md",
        "Canteen.pdf",
    ),
    "zh-CN": (
        "差旅制度.pdf",
        "住宿标准 2026.docx",
        "薪级表.xlsx",
        "五月会议纪要.md",
        "六月会议纪要.md",
        "食堂.pdf",
    ),
}


def files(stage: Stage) -> None:
    """The files of a knowledge base."""
    dialog = stage.page.locator("[data-dialog=knowledge]")
    stage.side("[data-open-knowledge]").click()
    dialog.locator("[data-base]", has_text=BASES[stage.language]).click()
    expect(dialog.locator("[data-file]").first).to_be_visible()


def sharing(stage: Stage) -> None:
    """The dialog that shares a knowledge base."""
    name = BASES[stage.language]
    items = stage.service.get("/api/knowledge").json["items"]
    base = next(item["id"] for item in items if item["name"] == name)
    people = [{"name": "Li Na", "access": "write"}, {"name": "Wang Wei", "access": "read"}]
    stage.service.request("PATCH", f"/api/knowledge/{base}", {"shared_with": people})
    files(stage)
    stage.page.locator("[data-base-share]").click()
    expect(stage.page.locator("[data-person]")).to_have_count(2)


def shared_with_me(stage: Stage) -> None:
    """A knowledge base of somebody else, shared for reading."""
    stage.page.route(re.compile(r"/api/knowledge$"), lambda route: _of_li_na(route, stage))
    stage.chat.reload()
    files(stage)
    dialog = stage.page.locator("[data-dialog=knowledge]")
    expect(dialog.locator("[data-base-share]")).to_be_hidden()


def _of_li_na(route: Route, stage: Stage) -> None:
    answer = route.fetch().json()
    for base in answer["items"]:
        if base["name"] == BASES[stage.language]:
            base |= {"own": False, "owner": "Li Na", "may": "read", "shared_with": None}
    route.fulfill(json=answer)


def knowledge(stage: Stage) -> None:
    """A search in a knowledge base."""
    files(stage)
    dialog = stage.page.locator("[data-dialog=knowledge]")
    dialog.locator("[data-tab=search]").click()
    dialog.locator("[data-search-query]").fill(DAYS[stage.language])
    dialog.locator("[data-search-query]").press("Enter")
    expect(dialog.locator("[data-hit] mark").first).to_be_visible()
    stage.page.evaluate("document.activeElement.blur()")


def bases(stage: Stage) -> None:
    """The choice of documents."""
    picker = stage.page.locator("[data-knowledge-picker]")
    picker.locator("[data-picker-button]").click()
    expect(picker.locator("[data-option]").nth(2)).to_be_visible()


def upload(stage: Stage) -> None:
    """Uploads: two ready, one processing, one failed, the others waiting."""
    stage.choose_handbook()
    stage.page.route(re.compile(r"/files$"), lambda route: _accept_four(route, stage))
    stage.page.route(
        re.compile(r"/files\?limit"),
        lambda route: route.fulfill(json={"items": [_stored(n, stage) for n in range(4)]}),
    )
    names = UPLOADS[stage.language]
    given = [
        {"name": name, "mimeType": "text/plain", "buffer": b"x" * (40_000 + 9_000 * n)}
        for n, name in enumerate(names)
    ]
    stage.chat.add(*given)
    expect(stage.chat.uploads.nth(5)).to_be_visible()
    expect(stage.chat.upload(names[2])).to_have_attribute("data-status", "failed")


def _stored(number: int, stage: Stage) -> dict[str, object]:
    """Return a stored file: the first two ready, the third failed, the fourth processing."""
    status = ("ready", "ready", "failed", "parsing")[number]
    message = words(stage.language, "error.unreadable_file.encrypted")
    return {
        "id": f"{number}",
        "name": UPLOADS[stage.language][number],
        "size": 40_000 + 9_000 * number,
        "status": status,
        "progress": 0.4,
        "error": {"code": "unreadable_file", "message": message} if number == 2 else None,
    }


def _accept_four(route: Route, stage: Stage) -> None:
    """Accept the first four files and leave the others waiting; uploads arrive in any order."""
    body = route.request.post_data_buffer or b""
    number = next(n for n, name in enumerate(UPLOADS[stage.language]) if name.encode() in body)
    if number < 4:
        route.fulfill(status=202, json={"items": [_stored(number, stage)]})


def _picture(stage: Stage) -> dict[str, Any]:
    lines = RECEIPT[stage.language if CHINESE_FONT.exists() else "en"]
    content = saved(page(lines, (420, 300)), "PNG")
    name = "receipt.png" if stage.language == "en" else "发票.png"
    return {"name": name, "mimeType": "image/png", "buffer": content}


def pictures(stage: Stage) -> None:
    """Pictures beside the question that is being written."""
    stage.chat.choose_base("")
    stage.chat.choose_model(f"Atlas/{MODEL}")
    stage.chat.add(_picture(stage))
    expect(stage.page.locator("[data-picture=ready]")).to_be_visible()
    stage.chat.input.fill(ABOUT_RECEIPT[stage.language])


def blind(stage: Stage) -> None:
    """Pictures for a model that cannot see."""
    pictures(stage)
    stage.chat.choose_model("builtin/extractive")
    expect(stage.page.locator("[data-pictures-blind]")).to_be_visible()


def seen(stage: Stage) -> None:
    """A picture in a question, and the answer."""
    pictures(stage)
    stage.chat.send.click()
    stage.chat.expect_complete(stage.chat.answers.last)
    expect(stage.page.locator("[data-question-pictures] img")).to_be_visible()


STATES = {
    "files": files,
    "knowledge": knowledge,
    "sharing": sharing,
    "shared-with-me": shared_with_me,
    "bases": bases,
    "upload": upload,
    "pictures": pictures,
    "pictures-blind": blind,
    "picture-asked": seen,
}
