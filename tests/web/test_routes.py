"""Who may use which route, for all routes of the app (tests/support/routes.py)."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chatapp.web.request import OPEN
from chatapp.web.services import Services
from tests.support.routes import GONE, KINDS, OK, ROWS, TO_SIGN_IN
from tests.support.uploads import upload
from tests.support.world import ASKED, NO_ID, World, routes


@pytest.fixture
def world(app: Flask, services: Services, client: FlaskClient) -> World:
    made = World(app, services, client)
    made.make()
    return made


def test_every_route_has_a_row_and_every_row_a_route(app: Flask) -> None:
    assert {f"{method} {rule}" for method, rule, _ in routes(app)} == ROWS.keys()
    open_ones = {f"{method} {rule}" for method, rule, name in routes(app) if name in OPEN}
    assert open_ones == {name for name, row in ROWS.items() if row.kind == "open"}


def test_every_route_answers_every_person_as_its_row_says(app: Flask, world: World) -> None:
    wrong = []
    for method, rule, _ in routes(app):
        row = ROWS[f"{method} {rule}"]
        for who, status in KINDS[row.kind].items():
            reply = world.ask(who, method, rule, row)
            if reply.status_code != (row.ok if status == OK else status):
                wrong.append((method, rule, who, reply.status_code, reply.data[:200]))
            if status == TO_SIGN_IN:
                assert reply.headers["Location"] == "/sign-in"
            if method == "DELETE" and reply.status_code < 300:
                world.make()
    assert not wrong, "\n".join(map(str, wrong))


def test_what_is_not_found_and_what_is_not_there_are_answered_alike(
    app: Flask, world: World
) -> None:
    nothing = {name: NO_ID for name in world.ids if name.endswith("_id")}
    for method, rule, _ in routes(app):
        row = ROWS[f"{method} {rule}"]
        for who in (who for who, status in KINDS[row.kind].items() if status == GONE):
            there = world.ask(who, method, rule, row)
            nowhere = world.ask(who, method, rule, row, **nothing)
            assert there.status_code == nowhere.status_code == GONE, (method, rule, who)
            told, expected = ({**reply.json["error"]} for reply in (there, nowhere))
            assert told.pop("request_id", None) != expected.pop("request_id", "")
            assert told == expected, (method, rule, who)


def test_ids_in_bodies_and_queries_are_checked_like_those_in_addresses(world: World) -> None:
    base = world.ids["base_id"]
    for who, allowed in (("member", False), ("reader", True), ("writer", True), ("admin", True)):
        one = world.clients[who]
        chat = one.post("/api/sessions", json={"title": "mine"}).json["id"]
        replies = {
            "question": one.post(
                "/chat",
                json={
                    "question": ASKED,
                    "knowledge_config": {"knowledge_base_id": [base]},
                    "llm_config": {"supplier": "builtin"},
                },
            ),
            "session": one.patch(f"/api/sessions/{chat}", json={"knowledge_base_id": base}),
            "suggestions": one.get(f"/api/suggestions?knowledge_base_id={base}"),
            "continue": one.post("/chat", json={"continue_id": world.ids["message_id"]}),
            "below": one.post(
                "/chat", json={"question": "q", "parent_id": world.ids["message_id"]}
            ),
            "chat": one.post(
                "/chat", json={"question": "q", "session_id": world.ids["session_id"]}
            ),
            "image": one.post("/chat", json={"question": "q", "images": [world.ids["image_id"]]}),
        }
        statuses = {name: reply.status_code for name, reply in replies.items()}
        known = ("question", "session", "suggestions")
        assert {name: statuses[name] for name in known} == dict.fromkeys(
            known, 200 if allowed else GONE
        ), (who, statuses)
        assert {name: statuses[name] for name in statuses if name not in known} == dict.fromkeys(
            ("continue", "below", "chat", "image"), GONE
        ), (who, statuses)
        assert ("25 days" in replies["question"].text) is allowed


def test_a_file_of_another_base_is_not_found_below_a_shared_one(world: World) -> None:
    owner, reader = world.clients["owner"], world.clients["reader"]
    private = owner.post("/api/knowledge", json={"name": "Private"}).json["id"]
    secret = upload(owner, private, ("secret.txt", b"The code is 4711."))
    file = secret.json["items"][0]["id"]
    for rest in ("", "/chunks", "/content", "/pages/1", "/marks?start=0&end=3"):
        path = f"/api/knowledge/{world.ids['base_id']}/files/{file}{rest}"
        assert reader.get(path).status_code == GONE, rest
