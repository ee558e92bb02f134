"""Presets over HTTP."""

from flask.testing import FlaskClient

MODEL = {"supplier": "builtin", "model": "extractive"}


def test_a_preset_keeps_model_bases_and_settings(client: FlaskClient) -> None:
    base = client.post("/api/knowledge", json={"name": "Laws"}).json["id"]
    body = {"name": " Lawyer ", **MODEL, "knowledge_base_id": base}
    made = client.post("/api/presets", json=body | {"settings": {"temperature": 0.2}})
    assert made.status_code == 201
    preset = made.json
    own = {"temperature": 0.2, "system_prompt": None, "max_length": None, "documents_only": None}
    assert {**preset, "id": "", "created_at": ""} == {
        "id": "",
        "created_at": "",
        "name": "Lawyer",
        **MODEL,
        "knowledge_base_id": base,
        "settings": own,
    }
    path = f"/api/presets/{preset['id']}"
    changed = client.patch(path, json={"settings": {"max_length": 3}, "knowledge_base_id": []}).json
    assert changed["settings"] == own | {"temperature": None, "max_length": 3}
    assert (changed["knowledge_base_id"], changed["model"]) == (None, "extractive")
    assert client.get("/api/presets").json["items"] == [changed]
    assert client.delete(path).status_code == 204
    assert client.get("/api/presets").json["items"] == []


def test_a_preset_has_its_own_name_and_bases_that_exist(client: FlaskClient) -> None:
    assert client.post("/api/presets", json={"name": "a"}).status_code == 201
    for body, status in (
        ({"name": "a"}, 422),
        ({"name": " "}, 422),
        ({}, 422),
        ({"name": "b", "settings": {"temperature": 9}}, 422),
        ({"name": "b", "knowledge_base_id": "nobody"}, 404),
    ):
        assert client.post("/api/presets", json=body).status_code == status, body
    client.delete("/api/auth/me/data")
    assert client.get("/api/presets").json["items"] == []
