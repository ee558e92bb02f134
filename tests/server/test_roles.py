"""The roles of what is sent to a model that accepts no two questions in a row."""

import pytest

from tests.support.modelserver import ModelServer
from tests.support.service import Service, Streamed, wait_for

pytestmark = pytest.mark.server


def ask(service: Service, model: str, question: str = "Hello", **more: object) -> Streamed:
    config = {"supplier": "openai", "model": model}
    return service.stream({"question": question, "llm_config": config, **more})


@pytest.mark.parametrize("first", ["silent", "failing", "stopped"])
def test_roles_alternate_after_a_question_without_an_answer(
    service: Service, model_server: ModelServer, first: str
) -> None:
    model = f"strict-{first}-once"
    config = {"supplier": "openai", "model": model}
    asked = service.stream(
        {"question": "When is lunch?", "llm_config": config},
        until=(lambda s: "context" in s.kinds()) if first == "stopped" else None,
    )
    context = asked.first("context")
    if first == "stopped":
        wait_for(lambda: [each for each in model_server.asked() if each.body["model"] == model])
        assert service.request("DELETE", f"/chat/stream/{asked.message_id}").status == 204
        service.stream(path=f"/chat/stream/{asked.message_id}")
    second = ask(service, model, "And dinner?", session_id=context["session_id"])
    assert second.text() == "When is lunch?\n\nAnd dinner?"
    third = service.stream({"question_id": context["question_id"], "llm_config": config})
    assert third.text() == "When is lunch?"
    fourth = ask(service, model, "And tea?", session_id=context["session_id"])
    assert fourth.text() == "And tea?"
