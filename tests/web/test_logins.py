"""Sign-ins: which browsers are signed in, ending them, and what a new password ends."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from chatapp.identity.users import Users
from chatapp.storage.models import Token
from chatapp.web.browsers import browser_name
from chatapp.web.services import Services

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"
OWN = {"Origin": "http://localhost"}


def sign_in(app: Flask, services: Services, name: str = "admin", agent: str = "") -> FlaskClient:
    browser = app.test_client()
    link = {"link": services.users.new_link(name)}
    headers = OWN | ({"User-Agent": agent} if agent else {})
    assert browser.post("/api/auth/login", json=link, headers=headers).status_code == 200
    return browser


def status(browser: FlaskClient) -> int:
    return browser.get("/api/auth/me").status_code


def program(app: Flask, browser: FlaskClient) -> FlaskClient:
    """Return a client with a token that a browser makes."""
    token = browser.post("/api/auth/tokens", json={}, headers=OWN).json["token"]
    made = app.test_client()
    made.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return made


def test_sign_ins_are_listed_and_ended_one_by_one(app: Flask, services: Services) -> None:
    here, there = sign_in(app, services, agent=FIREFOX), sign_in(app, services, agent="curl/8.5")
    [first, second] = sorted(
        here.get("/api/auth/logins").json["items"], key=lambda each: not each["current"]
    )
    assert (first["browser"], first["address"], first["current"]) == (
        "Firefox, Linux",
        "127.0.0.1",
        True,
    )
    assert (second["browser"], second["current"]) == ("curl/8.5", False)
    assert first["used_at"] and first["created_at"].endswith("Z")
    assert here.delete(f"/api/auth/logins/{second['id']}", headers=OWN).status_code == 204
    assert (status(here), status(there)) == (200, 401)
    assert here.delete(f"/api/auth/logins/{second['id']}", headers=OWN).status_code == 404


def test_an_address_of_any_length_is_kept_in_short(app: Flask, services: Services) -> None:
    browser = app.test_client()
    link = {"link": services.users.new_link("admin")}
    address = {"REMOTE_ADDR": "f" * 500}
    login = browser.post("/api/auth/login", json=link, headers=OWN, environ_overrides=address)
    assert login.status_code == 200
    assert browser.get("/api/auth/logins").json["items"][0]["address"] == "f" * 64


def test_all_other_sign_ins_are_ended_at_once(app: Flask, services: Services) -> None:
    browsers = [sign_in(app, services) for _ in range(3)]
    assert browsers[1].delete("/api/auth/logins", headers=OWN).status_code == 204
    assert [status(each) for each in browsers] == [401, 200, 401]


def test_sign_ins_of_others_are_not_found(app: Flask, services: Services) -> None:
    services.users.add("Ada")
    ada, admin = sign_in(app, services, "Ada"), sign_in(app, services)
    [hers] = ada.get("/api/auth/logins").json["items"]
    assert admin.delete(f"/api/auth/logins/{hers['id']}", headers=OWN).status_code == 404
    assert [each["id"] for each in admin.get("/api/auth/logins").json["items"]] != [hers["id"]]
    assert status(ada) == 200


def test_sign_ins_that_have_ended_are_not_listed(app: Flask, services: Services) -> None:
    sign_in(app, services)
    old = update(Token).where(Token.kind == "login").values(expires_at=Token.created_at)
    services.database.write(lambda t: t.execute(old) and None)
    assert len(sign_in(app, services).get("/api/auth/logins").json["items"]) == 1


@pytest.mark.parametrize("choice", [True, False])
def test_a_new_password_ends_tokens_where_that_is_wanted(
    app: Flask, services: Services, choice: bool
) -> None:
    people: Users = services.users
    people.add("Grace")
    browser, grace = sign_in(app, services), sign_in(app, services, "Grace")
    mine, hers = program(app, browser), program(app, grace)
    body = {"password": "a good long one", "end_tokens": choice}
    assert browser.put("/api/auth/password", json=body, headers=OWN).status_code == 204
    assert (status(mine), status(hers)) == (401 if choice else 200, 200)


def test_the_token_that_sets_a_password_stays(app: Flask, services: Services) -> None:
    browser = sign_in(app, services)
    one, other = program(app, browser), program(app, browser)
    body = {"password": "a good long one", "end_tokens": True}
    assert one.put("/api/auth/password", json=body).status_code == 204
    assert (status(one), status(other), status(browser)) == (200, 401, 401)


def test_a_name_can_be_changed_and_signs_in(app: Flask, services: Services) -> None:
    services.users.add("Ada")
    ada = sign_in(app, services, "Ada")
    ada.put("/api/auth/password", json={"password": "a good long one"}, headers=OWN)
    renamed = ada.patch("/api/auth/me", json={"name": "Augusta"}, headers=OWN)
    assert renamed.json["user"]["name"] == ada.get("/api/auth/me").json["user"]["name"] == "Augusta"
    own_case = ada.patch("/api/auth/me", json={"name": "AUGUSTA"}, headers=OWN)
    assert own_case.status_code == 200
    login = {"name": "AUGUSTA", "password": "a good long one"}
    assert app.test_client().post("/api/auth/login", json=login, headers=OWN).status_code == 200
    both = ada.patch("/api/auth/me", json={"name": "Ada", "defaults": {"max_length": 3}})
    assert both.json["user"]["name"] == "Ada" and both.json["defaults"]["max_length"] == 3


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (FIREFOX, "Firefox, Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
            "Edge, Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, "
            "like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
            "Safari, iPhone",
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/142.0.0.0 Mobile Safari/537.36",
            "Chrome, Android",
        ),
        ("python-requests/2.32.3", "python-requests/2.32.3"),
        ("x" * 500, "x" * 60),
        ("\x1b[31m", "[31m"),
        ("", ""),
    ],
)
def test_browsers_are_named_in_short(agent: str, name: str) -> None:
    assert browser_name(agent) == name
