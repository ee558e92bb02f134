"""The "Use from code" dialog: its snippets work when pasted into a terminal or a program."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.support.browser import Chat, delete_bases, words
from tests.support.service import PATIENCE_SECONDS, TOKEN, Service

BASE = 'it\'s "mine" 港口规章'
FACT = 'The ferry to Schiermonnikoog costs 31 guilders and a "blue" herring.'
QUESTION = "What does the ferry to Schiermonnikoog cost, in 'guilders' & \"herrings\"? 多少钱？"


@pytest.fixture
def harbour(service: Service, tmp_path: Path) -> Iterator[str]:
    """A base whose name has to be quoted in shells, JSON and Python."""
    rules = tmp_path / "规章 'one'.md"
    rules.write_text(f"# Fares\n\n{FACT}\n")
    yield service.add_documents(BASE, rules)
    delete_bases(service)
    for token in service.get("/api/auth/tokens").json["items"]:
        if token["name"] == words("en", "code.title"):
            service.request("DELETE", f"/api/auth/tokens/{token['id']}")


def test_the_curl_and_python_snippets_run_with_a_new_token(
    harbour: str, chat: Chat, service: Service
) -> None:
    page = chat.page
    dialog = page.locator("[data-dialog=code]")
    chat.menu("[data-use-from-code]")
    expect(dialog.locator("[data-code=curl]")).to_contain_text(words("en", "code.question"))
    expect(dialog.locator("[data-code-go-on]")).to_be_hidden()
    page.keyboard.press("Escape")

    chat.choose_base(harbour)
    chat.choose_model("builtin/extractive")
    chat.expect_complete(chat.ask(QUESTION))
    page.locator(f'[data-session="{chat.session_id}"]').hover()
    page.locator(f'[data-session="{chat.session_id}"] [data-session-menu]').click()
    page.locator("[data-session-entries] [data-session-code]").click()
    expect(dialog.locator("[data-code-lead]")).to_contain_text(BASE)
    dialog.locator("[data-code-make]").click()
    line = dialog.locator("[data-code-made] code")
    expect(line).to_have_text(re.compile("^export CHATAPP_TOKEN="))
    dialog.locator("[data-code-made] [data-code-copy]").click()
    expect(dialog.locator("[data-code-made] [data-code-copy]")).to_have_text(
        words("en", "app.copied")
    )
    token = line.inner_text()

    output = run("bash", "-c", f"{token}; {snippet(dialog, 'curl')}")
    events = [
        json.loads(one.removeprefix("data: "))
        for one in output.splitlines()
        if one.startswith("data: ")
    ]
    assert FACT in "".join(event["data"] for event in events if event["type"] == "chunk")
    assert [event["data"][0]["name"] for event in events if event["type"] == "sources"] == [
        "规章 'one'.md"
    ]

    python = snippet(dialog, "python")
    printed = run("bash", "-c", f'{token}; exec "$0" -', sys.executable, typed=python)
    assert FACT in printed and printed.rstrip().endswith("[1] 规章 'one'.md")
    assert len(python.splitlines()) < 30

    dialog.locator("[data-code-go-on]").check()
    before = len(service.get(f"/api/sessions/{chat.session_id}/messages").json["items"])
    run("bash", "-c", f"{token}; {snippet(dialog, 'curl')}")
    assert len(service.get(f"/api/sessions/{chat.session_id}/messages").json["items"]) == before + 2

    page.set_viewport_size({"width": 360, "height": 740})
    assert dialog.evaluate(
        "(dialog) => dialog.scrollWidth <= dialog.clientWidth && dialog.clientWidth <= 360"
    )
    page.keyboard.press("Escape")
    expect(line).to_have_text("")


def test_the_snippet_includes_the_file_filter_and_search_k(
    harbour: str, chat: Chat, service: Service
) -> None:
    file = service.get(f"/api/knowledge/{harbour}/files").json["items"][0]
    narrow = {"knowledge_base_id": harbour, "filter_by_file_md5": file["md5"], "search_k": 2}
    asked = {
        "question": "How much is the ferry?",
        "llm_config": {"supplier": "builtin"},
        "knowledge_config": narrow,
    }
    session = service.post("/chat", asked).json["session_id"]
    chat.open(f"/c/{session}").menu("[data-use-from-code]")
    shown = chat.page.locator("[data-dialog=code] [data-code=curl]")
    expect(shown).to_contain_text(f'"filter_by_file_md5": ["{file["md5"]}"], "search_k": 2')
    expect(shown).to_contain_text(asked["question"])
    assert TOKEN not in shown.inner_text()


def snippet(dialog: Locator, name: str) -> str:
    return dialog.locator(f"[data-code={name}]").inner_text()


def run(*command: str, typed: str = "") -> str:
    """Run a pasted command and return its output."""
    done = subprocess.run(
        command, input=typed, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
