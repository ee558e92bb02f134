"""A turn through the real service: what clients receive and what is stored."""

import json
import re
import uuid

import pytest

from tests.support.modelserver import ModelServer
from tests.support.service import TOKEN, Service, wait_for

pytestmark = pytest.mark.server
LLM = {"supplier": "openai"}


def ask(service: Service, model: str, question: str = "Hello", **more: object):
    return service.stream({"question": question, "llm_config": {**LLM, "model": model}, **more})


def test_a_stream_is_context_then_chunks_then_done(service: Service) -> None:
    streamed = ask(service, "typewriter-20-200")
    assert streamed.status == 200
    assert streamed.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert streamed.headers["Cache-Control"] == "no-cache, no-transform"
    assert streamed.headers["X-Accel-Buffering"] == "no"
    assert "Content-Encoding" not in streamed.headers
    basic = [body for event, _, body in streamed.messages if event == "message"]
    assert basic[0]["type"] == "context" and basic[0]["data"]
    assert {body["type"] for body in basic} == {"context", "chunk"}
    assert streamed.last["type"] == "done"
    assert streamed.last["data"]["finish_reason"] == "stop"
    assert set(streamed.last["data"]["timings"]) >= {"ttft_ms", "total_ms"}


def test_tokens_are_not_buffered(service: Service) -> None:
    streamed = ask(service, "typewriter-20-100")
    assert streamed.kinds().count("chunk") > 5


def test_ids_count_positions_and_status_has_none(service: Service) -> None:
    streamed = ask(service, "typewriter-10-200")
    position = 0
    for event, last_id, body in streamed.messages:
        if event in ("status", "ping"):
            continue
        message_id, _, place = last_id.rpartition(":")
        assert message_id == streamed.message_id
        position += len(body["data"]) if body["type"] in ("chunk", "reasoning") else 1
        assert int(place) == position


def test_question_and_answer_are_stored(service: Service) -> None:
    streamed = ask(service, "typewriter-10-200", "What is stored?")
    context = streamed.first("context")
    session = service.get(f"/api/sessions/{context['session_id']}").json
    assert session["title"] == "What is stored?"
    assert session["leaf_id"] == context["message_id"]
    question, answer = service.get(f"/api/sessions/{context['session_id']}/messages").json["items"]
    assert (question["role"], question["content"]) == ("user", "What is stored?")
    assert question["id"] == answer["parent_id"] == context["question_id"]
    assert (answer["status"], answer["content"]) == ("complete", streamed.text())
    assert (answer["supplier"], answer["model"]) == ("openai", "typewriter-10-200")


def test_the_json_endpoint_returns_the_same_answer(service: Service) -> None:
    reply = service.post(
        "/chat", {"question": "Hi", "llm_config": {**LLM, "model": "typewriter-5-500"}}
    )
    assert reply.status == 200
    assert set(reply.json) >= {
        "answer",
        "sources",
        "citations",
        "session_id",
        "message_id",
        "finish_reason",
        "usage",
    }
    assert (
        reply.json["answer"]
        == service.get(f"/api/messages/{reply.json['message_id']}").json["content"]
    )


def test_a_follow_up_is_sent_with_the_history(service: Service, model_server: ModelServer) -> None:
    session_id = ask(service, "echo", "first question").first("context")["session_id"]
    ask(service, "echo", "second question", session_id=session_id)
    sent = [turn["content"] for turn in model_server.requests[-1].body["messages"]]
    assert [text for text in sent if "question" in text][-1] == "second question"
    assert any("first question" in text for text in sent[:-1])
    ask(service, "echo", "third question", session_id=session_id, chat_config={"max_length": 0})
    assert len([t for t in model_server.requests[-1].body["messages"] if t["role"] == "user"]) == 1


def test_the_request_s_model_key_and_temperature_are_used_and_the_key_is_not_stored(
    service: Service, model_server: ModelServer
) -> None:
    key = f"sk-canary-{uuid.uuid4().hex}"
    config = {"supplier": "openai", "model": "echo", "temperature": 0.25, "api_key": key}
    streamed = service.stream(
        {"question": "q", "llm_config": config, "chat_config": {"system_prompt": "Be a poet."}}
    )
    sent = model_server.requests[-1]
    assert sent.headers["authorization"] == f"Bearer {key}"
    assert sent.body["temperature"] == 0.25
    assert sent.body["model"] == "echo"
    assert sent.body["messages"][0]["content"].startswith("Be a poet.")
    assert key not in json.dumps([body for _, _, body in streamed.messages])
    assert key not in service.output()
    assert not [
        file
        for file in service.home.rglob("*")
        if file.is_file() and key.encode() in file.read_bytes()
    ]


def test_reasoning_is_separate_from_the_answer(service: Service) -> None:
    for model in ("reasoning", "reasoning-field", "think"):
        streamed = ask(service, model)
        assert streamed.text("reasoning"), model
        assert streamed.text(), model
        assert "<think>" not in streamed.text() and "</think>" not in streamed.text()
        stored = service.get(f"/api/messages/{streamed.message_id}").json
        assert stored["reasoning"] == streamed.text("reasoning")


def test_unusual_text_is_stored_as_it_was_streamed(service: Service) -> None:
    streamed = ask(service, "weird-text")
    assert streamed.last["type"] == "done"
    assert service.get(f"/api/messages/{streamed.message_id}").json["content"] == streamed.text()


def test_regenerating_keeps_both_answers(service: Service) -> None:
    context = ask(service, "echo", "again").first("context")
    second = service.stream(
        {"question_id": context["question_id"], "llm_config": {**LLM, "model": "echo"}}
    )
    assert second.first("context")["question_id"] == context["question_id"]
    rows = service.get(f"/api/sessions/{context['session_id']}/messages").json["items"]
    assert [row["parent_id"] for row in rows if row["role"] == "assistant"] == [
        context["question_id"]
    ] * 2


def test_an_edit_makes_a_branch(service: Service, model_server: ModelServer) -> None:
    first = ask(service, "echo", "one").first("context")
    ask(service, "echo", "two", session_id=first["session_id"])
    ask(
        service,
        "echo",
        "another two",
        session_id=first["session_id"],
        parent_id=first["message_id"],
    )
    sent = [turn["content"] for turn in model_server.requests[-1].body["messages"]]
    assert "another two" in sent[-1] and not any(text == "two" for text in sent)


def test_parent_id_null_starts_a_branch_at_the_root(service: Service) -> None:
    session_id = ask(service, "echo", "first").first("context")["session_id"]
    ask(service, "echo", "instead of the first", session_id=session_id, parent_id=None)
    rows = service.get(f"/api/sessions/{session_id}/messages").json["items"]
    assert [row["parent_id"] for row in rows if row["role"] == "user"] == [None, None]


def test_the_same_client_message_id_is_answered_once(service: Service) -> None:
    body = {
        "question": "once",
        "client_message_id": str(uuid.uuid4()),
        "llm_config": {**LLM, "model": "typewriter-10-200"},
    }
    first, second = service.stream(body), service.stream(body)
    assert first.message_id == second.message_id
    assert first.text() == second.text()


def test_the_same_question_twice_is_answered_twice(service: Service) -> None:
    body = {"question": "How do I stop an answer?", "llm_config": {"supplier": "builtin"}}
    wait_for(
        lambda: service.get("/api/knowledge").json["items"][0]["state"] == "ready",
        what="the manual is read",
    )
    first = service.post("/chat", body).json
    again = service.post("/chat", {**body, "session_id": first["session_id"]}).json
    assert first["answer"] and again["answer"] == first["answer"]


def test_another_answer_under_the_same_client_message_id_is_written_once(service: Service) -> None:
    context = ask(service, "echo", "again").first("context")
    body = {
        "question_id": context["question_id"],
        "client_message_id": str(uuid.uuid4()),
        "llm_config": {**LLM, "model": "echo"},
    }
    assert (
        service.stream(body).message_id == service.stream(body).message_id != context["message_id"]
    )


def test_a_question_whose_answer_was_deleted_can_be_sent_again(service: Service) -> None:
    body = {
        "question": "once more",
        "client_message_id": str(uuid.uuid4()),
        "llm_config": {**LLM, "model": "echo"},
    }
    first = service.stream(body).message_id
    assert service.request("DELETE", f"/api/messages/{first}").status == 204
    again = service.stream(body)
    assert again.status == 200 and again.message_id != first


def test_a_complete_answer_cannot_be_continued(service: Service) -> None:
    done = ask(service, "echo", "complete")
    reply = service.post("/chat", {"continue_id": done.message_id})
    assert (reply.status, list(reply.json["error"]["fields"])) == (422, ["continue_id"])


def test_a_session_continues_without_a_deleted_knowledge_base(service: Service) -> None:
    base = service.post("/api/knowledge", {"name": "short-lived"}).json["id"]
    config = {"knowledge_base_id": base}
    session_id = ask(service, "echo", "one", knowledge_config=config).first("context")["session_id"]
    assert service.request("DELETE", f"/api/knowledge/{base}").status == 204
    assert ask(service, "echo", "two", session_id=session_id).last["type"] == "done"


def test_nul_is_replaced_in_all_input(service: Service) -> None:
    streamed = ask(service, "echo", "a\0b")
    assert (
        service.get(f"/api/messages/{streamed.first('context')['question_id']}").json["content"]
        == "a\ufffdb"
    )
    assert service.get("/api/sessions/a%00b").status == 404


def test_invalid_cursors_and_bodies_are_client_errors(service: Service) -> None:
    for cursor in ("%C2%B2", "9" * 70, "-1", "x"):
        refused = service.get(f"/api/sessions?after={cursor}")
        assert (refused.status, list(refused.json["error"]["fields"])) == (422, ["after"])
    nested = service.post("/chat", b"[" * 100_000, Content_Type="application/json")
    assert (nested.status, nested.json["error"]["code"]) == (422, "invalid_request")
    for body, limit in (
        (b'{"question":"' + b"x" * 14_000_000 + b'"}', "12 MB"),
        (b'{"question":[' + b"1," * 1_500_000 + b"1]}", "2 MB"),  # without pictures
    ):
        large = service.post("/chat", body, Content_Type="application/json")
        assert large.status == 413 and limit in large.json["error"]["message"]
    body = b'{"question":"' + b"x" * 3_000_000 + b'"}'
    large = service.post("/chat", body, Content_Type="application/json")
    assert (large.status, list(large.json["error"]["fields"])) == (422, ["question"])
    large = service.request("POST", "/api/sessions", body, Content_Type="application/json")
    assert large.status == 413 and "2 MB" in large.json["error"]["message"]


def test_a_question_longer_than_the_context_is_refused(service: Service) -> None:
    reply = service.post(
        "/chat", {"question": "长" * 100_000, "llm_config": {**LLM, "model": "echo"}}
    )
    assert reply.json["error"]["code"] == "context_too_long"
    short = service.post(
        "/chat", {"question": "长" * 5_000, "llm_config": {**LLM, "model": "echo"}}
    )
    title = service.get(f"/api/sessions/{short.json['session_id']}").json["title"]
    assert title.endswith("…") and len(title) < 40


def test_a_supplier_that_sends_only_pings_does_not_block_other_requests(service: Service) -> None:
    started = service.stream(
        {"question": "q", "llm_config": {**LLM, "model": "pings"}},
        until=lambda s: "context" in s.kinds(),
    )
    assert service.get("/healthz").status == 200
    service.request("DELETE", f"/chat/stream/{started.message_id}")


def test_a_session_with_a_live_answer_is_busy(service: Service) -> None:
    started = service.stream(
        {"question": "long", "llm_config": {**LLM, "model": "typewriter-400-20"}},
        until=lambda s: "chunk" in s.kinds(),
    )
    context = started.first("context")
    reply = service.post("/chat", {"question": "too soon", "session_id": context["session_id"]})
    assert (reply.status, reply.json["error"]["code"]) == (409, "busy")
    assert service.request("DELETE", f"/chat/stream/{context['message_id']}").status == 204


def test_a_disconnected_client_resumes_without_gap_or_repetition(service: Service) -> None:
    started = service.stream(
        {"question": "q", "llm_config": {**LLM, "model": "typewriter-60-60"}},
        until=lambda s: len(s.text()) > 20,
    )
    place = started.messages[-1][1]
    rest = service.stream(path=f"/chat/stream/{started.message_id}", Last_Event_ID=place)
    whole = service.get(f"/api/messages/{started.message_id}").json
    assert whole["status"] == "complete"
    assert started.text() + rest.text() == whole["content"]
    assert rest.last["type"] == "done"


def test_a_finished_answer_is_resumed_from_every_position(service: Service) -> None:
    done = ask(service, "reasoning")
    message_id = done.message_id
    end = int(done.messages[-1][1].rpartition(":")[2])
    whole = service.stream(path=f"/chat/stream/{message_id}")
    assert whole.text() == done.text() and whole.text("reasoning") == done.text("reasoning")
    for position in range(0, end, 7):
        rest = service.stream(path=f"/chat/stream/{message_id}?after={message_id}:{position}")
        assert done.text().endswith(rest.text())
        assert rest.last["type"] == "done"
    assert service.stream(path=f"/chat/stream/{message_id}?after={message_id}:{end}").messages == []
    ahead = service.stream(path=f"/chat/stream/{message_id}?after={message_id}:{end + 100}")
    assert ahead.kinds()[0] == "reset" and ahead.text() == done.text()


def test_a_post_with_a_last_event_id_resumes_and_asks_nothing(service: Service) -> None:
    done = ask(service, "echo", "attach to me")
    again = service.stream({"question": "attach to me"}, Last_Event_ID=f"{done.message_id}:1")
    assert again.text() == done.text()
    assert (
        len(
            service.get(f"/api/sessions/{done.first('context')['session_id']}/messages").json[
                "items"
            ]
        )
        == 2
    )


def test_invalid_fields_are_named_and_their_values_never_repeated(service: Service) -> None:
    canary = "canary-" + uuid.uuid4().hex
    for body, field in [
        ({}, "question"),
        ({"question": ""}, "question"),
        ({"question": "   "}, "question"),
        ({"question": "x" * 100_001}, "question"),
        ({"question": "q", "knowledge_config": {"search_k": canary}}, "knowledge_config.search_k"),
        ({"question": "q", "llm_config": {"temperature": canary}}, "llm_config.temperature"),
        ({"question": ["q", canary]}, "question"),
        ({"question": "q", "llm_config": {"api_key": canary}}, "llm_config.supplier"),
        ([canary], "body"),
        (
            {"question": "q", "knowledge_config": {"filter_by_file_md5": canary}},
            "knowledge_config.filter_by_file_md5",
        ),
    ]:
        reply = service.post("/chat/stream", body)
        assert reply.status == 422, body
        error = reply.json["error"]
        assert error["code"] == "invalid_request"
        assert field in error["fields"], (error, field)
        assert error["message"] and error["request_id"]
        assert canary not in reply.body.decode()


def test_unknown_fields_are_ignored(service: Service) -> None:
    assert (
        service.post(
            "/chat", {"question": "hi", "is_admin": True, "llm_config": {"supplier": "builtin"}}
        ).status
        == 200
    )


def test_unknown_ids_are_not_found(service: Service) -> None:
    unknown = str(uuid.uuid4())
    for body in (
        {"question": "q", "session_id": unknown},
        {"question": "q", "knowledge_config": {"knowledge_base_id": unknown}},
        {"question_id": unknown},
        {"continue_id": unknown},
    ):
        reply = service.post("/chat/stream", body)
        assert (reply.status, reply.json["error"]["code"]) == (404, "not_found"), body
    assert service.get(f"/chat/stream/{unknown}").status == 404
    assert (
        "session_id"
        in service.post("/chat", {"question": "q", "session_id": unknown}).json["error"]["message"]
    )


def test_errors_are_localized(service: Service) -> None:
    body = {"question": "q", "llm_config": {"supplier": "gone", "model": "m"}}
    english = service.post("/chat", body, Accept_Language="en").json["error"]
    chinese = service.post("/chat", body, Accept_Language="zh-CN,zh;q=0.9").json["error"]
    assert english["code"] == chinese["code"] == "model_gone"
    assert "Choose" in english["message"] and "选择" in chinese["message"]


def test_log_lines_contain_the_ids_of_a_turn_and_never_its_text(service: Service) -> None:
    secret = "the-question-itself-" + uuid.uuid4().hex
    context = ask(service, "echo", secret).first("context")
    lines = wait_for(
        lambda: [
            x
            for x in service.output().splitlines()
            if context["message_id"] in x and "answer ends" in x
        ],
    )
    assert re.search(
        r"session=\S+ message=\S+ supplier=openai model=echo bases=- request=\S+ state=complete",
        lines[-1],
    )
    assert secret not in service.output()


def test_a_client_that_handles_three_types_receives_the_whole_answer(service: Service) -> None:
    """Parse as common client libraries do: every block is a message, even one without data."""
    with service.connection() as connection:
        body = json.dumps({"question": "q", "llm_config": {**LLM, "model": "think"}}).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
        connection.request("POST", "/chat/stream", body, headers)
        raw = connection.getresponse().read().decode()
    answer, message_id = "", ""
    for block in raw.split("\n\n")[:-1]:
        data = "\n".join(
            line.removeprefix("data: ") for line in block.split("\n") if line.startswith("data: ")
        )
        named = any(line.startswith("event:") for line in block.split("\n"))
        parsed = json.loads(data)  # every block must contain JSON
        if named:
            continue
        assert parsed["type"] in ("context", "chunk", "error")
        assert parsed["type"] != "error"
        message_id = parsed.get("message_id", message_id)
        answer += parsed["data"] if parsed["type"] == "chunk" else ""
    assert answer == service.get(f"/api/messages/{message_id}").json["content"]


def test_the_search_of_a_follow_up_is_kept_as_it_was_rewritten(
    service: Service, model_server: ModelServer
) -> None:
    address = model_server.other_url
    supplier = {"name": "unlimited", "base_url": address, "models": ["zen-rewrite"]}
    assert service.post("/api/suppliers", supplier).status == 201
    config = {"supplier": "unlimited", "model": "zen-rewrite"}
    bases = service.get("/api/knowledge").json["items"]
    [manual] = [base["id"] for base in bases if base["bundled"]]
    documents = {"knowledge_config": {"knowledge_base_id": manual}}
    question = "How many days of leave do employees get?"
    queries = set()
    for _ in range(10):  # on a busy machine a rewrite may take longer than its 3 s
        first = ask(service, "zen-rewrite", question, llm_config=config, **documents)
        session = {"session_id": first.first("context")["session_id"]}
        followed = ask(service, "zen-rewrite", "And interns?", llm_config=config, **session)
        assert followed.last["type"] == "done"
        queries.add(service.get(f"/api/messages/{followed.message_id}/search").json["query"])
        if queries - {f"{question}\nAnd interns?"}:
            break
    assert queries - {f"{question}\nAnd interns?"} == {"How many days of leave do interns get?"}
