"""Questions with pictures through the real service: what models get, and what stays of them."""

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.images import square
from tests.support.modelpictures import name_of, pictures
from tests.support.modelserver import ModelServer
from tests.support.service import Service, Streamed, wait_for

pytestmark = pytest.mark.server
FORM = b'--x\r\nContent-Disposition: form-data; name="file"; filename="cat.png"\r\n\r\n'
LEFT_OUT = "left out"


def upload(service: Service, content: bytes) -> str:
    body = FORM + content + b"\r\n--x--\r\n"
    reply = service.post("/api/images", body, Content_Type="multipart/form-data; boundary=x")
    assert reply.status == 201, reply.body
    return str(reply.json["id"])


def ask(service: Service, question: str | None = "What is this?", **more: Any) -> Streamed:
    llm = {"supplier": "openai", "model": "sees"}
    return service.stream({"question": question, "llm_config": llm} | more)


def names_of(service: Service, *image_ids: str) -> str:
    return " and ".join(name_of(service.get(f"/api/images/{each}").body) for each in image_ids)


def session_of(streamed: Streamed) -> str:
    return str(streamed.first("context")["session_id"])


def stored(service: Service) -> set[str]:
    return {path.name for path in Path(service.home, "images").rglob("*") if path.is_file()}


def test_a_model_gets_the_pictures_and_the_message_lists_them(service: Service) -> None:
    one, two = upload(service, square()), upload(service, square("blue"))
    streamed = ask(service, images=[one, two])
    assert streamed.text() == f"I see {names_of(service, one, two)}."
    question, answer = service.get(f"/api/sessions/{session_of(streamed)}/messages").json["items"]
    assert [image["id"] for image in question["images"]] == [one, two]
    assert question["images"][0]["name"] == "cat.png" and answer["images"] == []


def test_a_data_url_is_stored_like_an_upload(service: Service) -> None:
    url = "data:image/jpeg;base64," + base64.b64encode(square(kind="JPEG")).decode()
    streamed = ask(service, images=url)
    question_id = streamed.first("context")["question_id"]
    [image] = service.get(f"/api/messages/{question_id}").json["images"]
    assert streamed.text() == f"I see {names_of(service, image['id'])}."
    assert image["name"] == "" and (image["width"], image["height"]) == (40, 30)


def test_follow_ups_retries_and_edits_keep_the_pictures(
    service: Service, model_server: ModelServer
) -> None:
    one, two = upload(service, square()), upload(service, square("lime"))
    first = ask(service, images=[one])
    session = {"session_id": session_of(first)}
    context = first.first("context")
    later = ask(service, "And its colour?", **session)
    assert later.text() == "I see nothing."
    assert [len(found) for found in pictures(model_server.asked()[-1])] == [0, 1, 0, 0]

    again = ask(service, None, question_id=context["question_id"], **session)
    assert again.text() == first.text(), "another answer to the same question"
    edited = ask(service, "What else?", parent_id=None, images=[one, two], **session)
    assert edited.text() == f"I see {names_of(service, one, two)}."

    service.request("DELETE", f"/api/messages/{context['question_id']}")
    assert {one, two} <= stored(service), "the edited question still uses both"
    service.request("DELETE", f"/api/sessions/{session_of(first)}")
    assert not {one, two} & stored(service)
    assert service.get(f"/api/images/{one}").status == 404


def test_of_earlier_questions_the_latest_pictures_go_along(
    service: Service, model_server: ModelServer
) -> None:
    streamed = ask(service, images=[upload(service, square())])
    session = {"session_id": session_of(streamed)}
    ask(service, "And these?", images=[upload(service, square()) for _ in range(4)], **session)
    ask(service, "Compare them.", **session)
    request = model_server.asked()[-1]
    assert [len(found) for found in pictures(request)] == [0, 0, 0, 4, 0, 0]
    assert LEFT_OUT in request.body["messages"][1]["content"]


def test_pictures_count_in_the_context(service: Service) -> None:
    images = [upload(service, square(size=(1568, 1568))) for _ in range(6)]
    body = {
        "question": "q",
        "images": images,
        "llm_config": {"supplier": "openai", "model": "sees"},
    }
    refused = service.post("/chat", body)
    assert refused.status == 413 and refused.json["error"]["code"] == "context_too_long"
    assert "pictures" in refused.json["error"]["message"]


@pytest.mark.parametrize(
    ("images", "status"),
    [
        (["00000000-0000-4000-8000-000000000000"], 404),
        (["data:image/png;base64,AAAA"], 415),
        (["data:image/png,AAAA"], 422),
        (["data:image/png;base64,é"], 422),
        (["x" * 99], 422),
        (["a"] * 11, 422),
        ([7], 422),
    ],
    ids=["unknown", "no picture", "no base64", "damaged", "too long", "too many", "no text"],
)
def test_other_pictures_are_refused_in_words(
    service: Service, images: list[Any], status: int
) -> None:
    before = stored(service)
    refused = service.post("/chat", {"question": "q", "images": images})
    assert refused.status == status and refused.json["error"]["message"]
    assert "AAAA" not in refused.body.decode()
    assert stored(service) == before


def test_a_refused_question_leaves_no_picture_behind(service: Service) -> None:
    before = stored(service)
    url = "data:image/png;base64," + base64.b64encode(square()).decode()
    body = {"question": "q", "images": [url, "00000000-0000-4000-8000-000000000000"]}
    assert service.post("/chat", body).status == 404
    assert stored(service) == before


def test_data_urls_have_a_limit_of_their_own(tmp_path: Path, model_server: ModelServer) -> None:
    noise = BytesIO()
    Image.effect_noise((1600, 1600), 90).save(noise, "PNG")  # 2 MB
    url = "data:image/png;base64," + base64.b64encode(noise.getvalue()).decode()
    openai = {"OPENAI_BASE_URL": model_server.base_url, "OPENAI_MODELS": "sees"}
    body = {"question": "q", "images": [url]}
    with Service(tmp_path / "home", **openai) as service:
        assert service.post("/chat", body).status == 200
    for limit, status in (("1048576", 413), ("0", 413)):
        variables = {"CHATAPP_DATA_URL_BYTES": limit, **openai}
        with Service(tmp_path / "home", **variables) as service:
            assert service.post("/chat", body).status == status
            small = "data:image/png;base64," + base64.b64encode(square()).decode()
            fits = service.post("/chat", {"question": "q", "images": [small]})
            assert fits.status == (200 if limit != "0" else 422), fits.body


def test_a_missing_file_leaves_a_note_and_the_chat_goes_on(
    service: Service, model_server: ModelServer
) -> None:
    image_id = upload(service, square())
    Path(service.home, "images", image_id[:2], image_id).unlink()
    assert ask(service, images=[image_id]).text() == "I see nothing."
    [_, text, note] = ["", *model_server.asked()[-1].body["messages"][-1]["content"]]
    assert text["text"] == "What is this?" and LEFT_OUT in note["text"]


@pytest.mark.parametrize(
    ("question", "words"), [("What is it?", "cannot see"), ("这是什么", "看不到图片")]
)
def test_the_built_in_model_says_that_it_cannot_see(
    service: Service, question: str, words: str
) -> None:
    builtin = {"llm_config": {"supplier": "builtin"}, "images": [upload(service, square())]}
    said = service.post("/chat", {"question": question, "knowledge_config": None, **builtin})
    assert words in said.json["answer"]
    grounded = service.post("/chat", {"question": question, **builtin})
    assert words in grounded.json["answer"] and len(grounded.json["answer"]) > len(
        said.json["answer"]
    )


def test_temporary_chats_take_their_pictures_along(service: Service) -> None:
    image_id = upload(service, square())
    streamed = ask(service, images=[image_id], temporary=True)
    assert service.request("DELETE", f"/api/sessions/{session_of(streamed)}").status == 204
    wait_for(lambda: image_id not in stored(service), what="the picture is deleted")


def test_a_model_that_refuses_pictures_is_known_to_be_blind_from_then_on(
    tmp_path: Path, model_server: ModelServer
) -> None:
    name = "blind-openrouter-known"
    openai = {"OPENAI_BASE_URL": model_server.base_url, "OPENAI_MODELS": f"{name},deepseek-chat"}
    with Service(tmp_path / "home", **openai) as service:

        def vision() -> dict[str, bool | None]:
            items = service.get("/api/models").json["items"]
            return {item["model"]: item["vision"] for item in items}

        assert vision() == {name: None, "deepseek-chat": False, "extractive": False}
        images = [upload(service, square())]
        llm = {"supplier": "openai", "model": name}
        streamed = ask(service, images=images, llm_config=llm)
        assert streamed.last["code"] == "upstream_refused" and name in streamed.last["data"]
        assert "cannot see pictures" in streamed.last["data"]
        assert vision()[name] is False

        asked = len(model_server.asked())
        for model in (name, "deepseek-chat"):
            body = {"question": "q", "images": images, "llm_config": {**llm, "model": model}}
            refused = service.post("/chat", body)
            assert refused.status == 422 and "cannot see" in refused.json["error"]["message"]
            assert list(refused.json["error"]["fields"]) == ["images"]
        assert len(model_server.asked()) == asked, "nothing was sent"

        session = {"session_id": session_of(streamed), "llm_config": llm}
        assert ask(service, "And without?", **session).last["type"] == "done"
        retried = {"question_id": streamed.first("context")["question_id"]}
        sees = {"llm_config": {"supplier": "openai", "model": "sees"}}
        assert (
            ask(service, None, **retried, **sees).text() == f"I see {names_of(service, *images)}."
        )


def test_an_administrator_says_which_models_see(
    service: Service, model_server: ModelServer
) -> None:
    made = service.post(
        "/api/suppliers",
        {
            "name": "seeing",
            "base_url": model_server.base_url,
            "models": ["sees", "blind-deepseek-stated"],
            "options": {"vision": {"sees": True, "blind-deepseek-stated": False}},
        },
    ).json
    items = [one for one in service.get("/api/models").json["items"] if one["supplier"] == "seeing"]
    assert [one["vision"] for one in items] == [True, False]
    path = f"/api/suppliers/{made['id']}"
    changed = service.request("PATCH", path, {"options": {"vision": None}}).json
    assert "vision" not in changed["options"]
    service.request("DELETE", path)
