"""Saved prompts over HTTP."""

import pytest
from flask.testing import FlaskClient

from chatapp.chat import named


def test_prompts_are_saved_listed_by_name_changed_and_deleted(client: FlaskClient) -> None:
    for name in ("translate", "Brief"):
        made = client.post("/api/prompts", json={"name": f" {name} ", "text": f"{name}:"})
        assert made.status_code == 201
    first, second = client.get("/api/prompts").json["items"]
    assert (first["name"], second["name"]) == ("Brief", "translate")
    path = f"/api/prompts/{first['id']}"
    assert client.patch(path, json={"text": "Be brief."}).json["text"] == "Be brief."
    taken = client.patch(path, json={"name": "translate"})
    assert taken.status_code == 422 and "taken" in taken.json["error"]["message"]
    assert client.patch(path, json={"name": "Brief"}).status_code == 200
    assert client.delete(path).status_code == 204
    assert client.delete(path).status_code == 404
    client.delete("/api/auth/me/data")
    assert client.get("/api/prompts").json["items"] == []


@pytest.mark.parametrize("field", ["name", "text"])
def test_a_prompt_has_a_name_and_a_text(client: FlaskClient, field: str) -> None:
    for wrong in (" ", "", "x" * 20_001):
        body = {"name": "n", "text": "t", field: wrong}
        assert client.post("/api/prompts", json=body).status_code == 422
        made = client.post("/api/prompts", json={"name": "n", "text": "t"}).json
        assert client.patch(f"/api/prompts/{made['id']}", json={field: wrong}).status_code == 422
        client.delete(f"/api/prompts/{made['id']}")


def test_there_is_a_limit(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named, "MOST", 1)
    assert client.post("/api/prompts", json={"name": "a", "text": "t"}).status_code == 201
    assert client.post("/api/prompts", json={"name": "b", "text": "t"}).status_code == 422
