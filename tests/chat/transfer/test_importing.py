"""Imports: branches and dates are kept, the same file adds nothing, no id is believed."""

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chatapp.chat.transfer.importing import Report, import_chats
from chatapp.identity.person import Person
from chatapp.identity.users import Users
from chatapp.storage.models import now
from chatapp.web.services import Services
from tests.support.exports import LONG_AGO, chatgpt_chat, chatgpt_node, open_webui_chat

Take = Callable[..., Report]


@pytest.fixture
def take(services: Services, admin: Person) -> Take:
    def run(*chats: Any, user_id: str = admin.id) -> Report:
        report = Report()
        file = io.BytesIO(json.dumps(chats).encode())
        import_chats(services.database, user_id, file, report)
        return report

    return run


def chats_of(services: Services, user_id: str) -> list[dict[str, Any]]:
    return services.sessions.page(user_id, None, 200)[0]


def messages_of(services: Services, user_id: str, session_id: str) -> list[dict[str, Any]]:
    return services.sessions.messages(user_id, session_id, None, None)[0]


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(LONG_AGO + seconds, UTC).replace(tzinfo=None)


def test_chatgpts_branches_dates_and_models_are_kept(
    take: Take, services: Services, admin: Person
) -> None:
    report = take(chatgpt_chat())
    assert (report.chats, report.messages, report.left_out_chats) == (1, 4, 0)
    assert report.parts == {"hidden": 1, "tools": 2, "files": 1}
    [chat] = chats_of(services, admin.id)
    assert (chat["title"], chat["created_at"], chat["updated_at"]) == ("Tides", at(0), at(100))
    question, answer, other, second = messages_of(services, admin.id, chat["id"])
    assert question["content"] == "When is the tide high?" and question["parent_id"] is None
    assert answer["content"] == "At noon .\n\nAnd at midnight."
    assert answer["model"] == answer["knowledge"] == "gpt-4o"
    assert other["content"] == "It depends."
    assert answer["parent_id"] == other["parent_id"] == question["id"]
    assert second["parent_id"] == answer["id"] and chat["leaf_id"] == second["id"]
    assert [each["created_at"] for each in (question, answer, other, second)] == [
        at(seconds) for seconds in (1, 4, 6, 7)
    ]


def test_open_webuis_thinking_and_dates_are_kept(
    take: Take, services: Services, admin: Person
) -> None:
    report = take(open_webui_chat())
    assert report.parts == {"files": 1}
    [chat] = chats_of(services, admin.id)
    question, wet, dry = messages_of(services, admin.id, chat["id"])
    assert (chat["title"], chat["pinned"], chat["leaf_id"]) == ("Water", True, wet["id"])
    assert (wet["content"], wet["reasoning"]) == ("It is.", "Is it <wet>?\nYes.")
    assert (dry["content"], dry["created_at"]) == ("No.", at(2))
    assert wet["parent_id"] == dry["parent_id"] == question["id"]
    assert (wet["feedback"]["rating"], wet["feedback"]["reason"]) == ("up", "Short and right")
    assert (dry["feedback"]["rating"], dry["feedback"]["reason"]) == ("down", "factually incorrect")
    assert question["feedback"] is None


def test_the_same_file_adds_nothing_and_a_longer_one_only_what_is_new(
    take: Take, services: Services, admin: Person
) -> None:
    chat = chatgpt_chat()
    take(chat, open_webui_chat())
    before = chats_of(services, admin.id)
    again = take(chat, open_webui_chat())
    assert (again.chats, again.messages, again.present) == (0, 0, 2)
    assert chats_of(services, admin.id) == before
    chat["mapping"]["a3"] = chatgpt_node("a3", "q2", "assistant", "At one.", 200)
    grown = take(chat | {"current_node": "a3"})
    assert (grown.chats, grown.grown, grown.messages) == (0, 1, 1)
    tides = next(each for each in chats_of(services, admin.id) if each["title"] == "Tides")
    rows = messages_of(services, admin.id, tides["id"])
    assert rows[-1]["content"] == "At one." and tides["leaf_id"] == rows[-1]["id"]


def test_two_users_import_the_same_file_and_do_not_meet(
    take: Take, services: Services, admin: Person
) -> None:
    people = Users(services.database)
    people.add("Ada")
    ada = next(each["id"] for each in people.all() if each["name"] == "Ada")
    for user_id in (admin.id, ada):
        assert take(chatgpt_chat(), user_id=user_id).chats == 1
    [mine], [hers] = chats_of(services, admin.id), chats_of(services, ada)
    assert mine["id"] != hers["id"]
    own = {"id": hers["id"], "title": "stolen", "leaf_id": hers["leaf_id"]}
    message = {"id": hers["leaf_id"], "parent_id": None, "role": "user", "content": "mine now"}
    assert take({"session": own, "messages": [message]}).chats == 1
    assert [each["title"] for each in chats_of(services, ada)] == ["Tides"]
    assert len(messages_of(services, ada, hers["id"])) == 4


def test_our_own_export_is_here_already_or_comes_back_whole(
    take: Take, services: Services, admin: Person
) -> None:
    take(chatgpt_chat())
    [chat] = chats_of(services, admin.id)
    rows = messages_of(services, admin.id, chat["id"])
    settings = {"temperature": 0.5, "max_length": "many", "documents_only": True, "x": 1}
    session = chat | {"settings": settings, "pinned": True}
    source = {"n": 1, "knowledge_base_id": "b", "file_id": "f", "name": "tides.pdf", "page": 3,
              "quote": "At noon.", "text": "High at noon.", "score": 0.5}  # fmt: skip
    feedback = {"rating": "down", "reason": "Not at noon"}
    rows[1] |= {"sources": [source], "citations": [1], "status": "stopped", "feedback": feedback}
    exported = json.loads(json.dumps({"session": session, "messages": rows}, default=str))
    assert take(exported).present == 1
    services.sessions.delete(admin.id, chat["id"])
    assert take(exported).chats == 1
    [back] = chats_of(services, admin.id)
    again = messages_of(services, admin.id, back["id"])
    assert back["id"] != chat["id"] and back["pinned"]
    assert [each["content"] for each in again] == [each["content"] for each in rows]
    assert [each["created_at"] for each in again] == [each["created_at"] for each in rows]
    assert {name for name, value in back["settings"].items() if value is not None} == {
        "temperature",
        "documents_only",
    }
    answer = again[1]
    assert (answer["status"], answer["citations"]) == ("stopped", [1])
    assert answer["feedback"].items() >= feedback.items()
    assert answer["sources"][0]["quote"] == "At noon."
    assert answer["sources"][0]["knowledge_base_id"] == answer["sources"][0]["file_id"] == ""


def test_what_cannot_be_taken_is_named_with_its_reason(
    take: Take, services: Services, admin: Person
) -> None:
    circle = chatgpt_chat("c3", "Circle")
    circle["mapping"]["q"]["parent"] = "q2"
    silent = {"title": "Silent", "mapping": {}, "id": "c2"}
    report = take({"title": "Odd"}, silent, 7, [1], circle)
    assert report.left_out == [
        ("Odd", "unknown"),
        ("Silent", "empty"),
        ("", "unknown"),
        ("Circle", "broken"),
    ]
    assert chats_of(services, admin.id) == []


def test_values_of_any_type_break_nothing(take: Take, services: Services, admin: Person) -> None:
    odd = chatgpt_chat()
    for value in (None, 7, "x", [], {}, True, 1e300, -1):
        for field in ("title", "create_time", "update_time", "current_node", "id"):
            take(odd | {field: value, "conversation_id": value})
        for field in ("message", "parent"):
            node = odd["mapping"]["a2"] | {field: value}
            take(odd | {"mapping": odd["mapping"] | {"a2": node}})
        for field in ("author", "content", "metadata", "create_time", "recipient"):
            message = odd["mapping"]["a2"]["message"] | {field: value}
            node = odd["mapping"]["a2"] | {"message": message}
            take(odd | {"mapping": odd["mapping"] | {"a2": node}})
        take({"session": {"id": value}, "messages": [value, {"id": value, "role": "user"}]})
        take({"chat": {"history": value, "messages": [value]}, "id": value})
        answer = {"role": "assistant", "content": "Yes.", "annotation": value, "feedback": value}
        rated = [answer | {name: {"rating": value, "reason": value}} for name in answer]
        take({"chat": {"messages": [answer, *rated]}, "id": value})
        take({"session": {"id": value}, "messages": [row | {"id": "a"} for row in rated]})
    assert len(chats_of(services, admin.id)) >= 1


def test_dates_of_the_future_are_those_of_now(
    take: Take, services: Services, admin: Person
) -> None:
    take(chatgpt_chat() | {"update_time": LONG_AGO * 3})
    [chat] = chats_of(services, admin.id)
    assert now() - timedelta(hours=1) < chat["updated_at"] <= now()
