"""Signing in at a real identity provider, with real gunicorn."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.idprovider import ADA, BOB, IdentityProvider, changed, query
from tests.support.service import ROOT, Reply, Service

pytestmark = pytest.mark.server
START, CALLBACK = "/auth/oidc/start", "/auth/oidc/callback"
CHAT = "/c/00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    with IdentityProvider() as running:
        yield running


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, provider: IdentityProvider
) -> Iterator[Service]:
    with Service(
        tmp_path_factory.mktemp("home"),
        workers=2,
        CHATAPP_OIDC_ISSUER=provider.url,
        CHATAPP_OIDC_CLIENT_ID="chat",
        CHATAPP_OIDC_CLIENT_SECRET="a secret",
        CHATAPP_OIDC_NAME="Example ID",
        CHATAPP_OIDC_ALLOW="groups=staff",
        CHATAPP_OIDC_ADMINS="ada@example.org",
    ) as running:
        yield running


class Browser:
    """Keeps cookies; redirects are followed by hand."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.cookies: dict[str, str] = {}

    def get(self, path: str, method: str = "GET", **headers: str) -> Reply:
        """Send a request, and keep the cookies of the response."""
        sent = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        with self._service.connection() as connection:
            connection.request(method, path, headers={"Cookie": sent, **headers})
            response = connection.getresponse()
            reply = Reply(response.status, dict(response.getheaders()), response.read())
        for line in response.headers.get_all("Set-Cookie") or []:
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
            if "Max-Age=0" in line:
                del self.cookies[name]
        return reply

    def start(self, next: str = "") -> str:
        """Return the provider's address to which the link leads."""
        reply = self.get(START + (f"?next={next}" if next else ""))
        assert reply.status == 302, reply.body
        return reply.headers["Location"]

    def come_back(self, address: str) -> Reply:
        """Open the address to which the provider leads back."""
        assert address.startswith(self._service.url + CALLBACK), address
        return self.get(address.removeprefix(self._service.url))

    def sign_in(self, provider: IdentityProvider, sub: str, next: str = "") -> Reply:
        """Sign in as somebody."""
        return self.come_back(provider.answer(self.start(next), sub=sub))

    def user(self) -> dict | None:
        """Return who is signed in."""
        reply = self.get("/api/auth/me")
        return reply.json["user"] if reply.status == 200 else None


@pytest.fixture
def browser(service: Service) -> Browser:
    return Browser(service)


def problem(reply: Reply, status: int) -> str:
    """Return the sentence of the page that shows a failure."""
    assert reply.status == status, reply.body
    assert reply.headers["Content-Type"].startswith("text/html")
    found = re.search(r"data-problem>([^<]+)<", reply.body.decode())
    assert found
    return found[1]


def test_the_link_leads_to_the_provider_with_state_nonce_and_pkce(
    provider: IdentityProvider, service: Service, browser: Browser
) -> None:
    reply = browser.get(START)
    asked = query(reply.headers["Location"])
    assert reply.headers["Location"].startswith(f"{provider.url}/oauth2/authorize?")
    assert asked["code_challenge_method"] == "S256" and len(asked["code_challenge"]) == 43
    assert len(asked["state"]) == len(asked["nonce"]) == 43
    assert asked["scope"] == "openid profile email" and asked["response_type"] == "code"
    assert asked["redirect_uri"] == service.url + CALLBACK
    cookie = reply.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Max-Age=600" in cookie
    assert asked["state"] not in cookie and asked["nonce"] not in cookie
    assert query(browser.start())["state"] != asked["state"]


def test_a_person_of_the_provider_signs_in_with_an_account_of_their_own(
    provider: IdentityProvider, browser: Browser, service: Service
) -> None:
    reply = browser.sign_in(provider, BOB["sub"], CHAT)
    assert reply.status == 302 and reply.headers["Location"] == CHAT
    user = browser.user()
    assert user is not None
    # The local account `admin` is not taken over, and the e-mail was not verified.
    assert (user["name"], user["role"], user["has_password"]) == ("admin (2)", "user", False)
    assert browser.get("/api/auth/me").json["signed_in_by"] == "provider"
    entries = service.get("/api/audit?action=account.sign_in&limit=1").json["items"]
    assert [(each["actor"], each["actor_id"]) for each in entries] == [("admin (2)", user["id"])]
    again = Browser(service)
    again.sign_in(provider, BOB["sub"])
    assert again.user() == user
    refused = again.get("/api/auth/password", "PUT")
    assert refused.status == 422


def test_the_administrator_is_named_by_a_setting_and_follows_the_provider(
    provider: IdentityProvider, browser: Browser
) -> None:
    browser.sign_in(provider, ADA["sub"])
    user = browser.user()
    assert user is not None and (user["name"], user["role"]) == ("ada", "admin")
    claims = {name: value for name, value in ADA.items() if name != "sub"}
    provider.set_claims(ADA["sub"], **claims | {"email_verified": False})
    browser.sign_in(provider, ADA["sub"])
    changed_user = browser.user()
    provider.set_claims(ADA["sub"], **claims)
    assert changed_user == user | {"role": "user"}


def test_only_pages_of_chats_are_opened_afterwards(
    provider: IdentityProvider, browser: Browser
) -> None:
    for elsewhere in ("https://evil.example/", "//evil.example", "/api/auth/me", CHAT + "/../x"):
        reply = browser.sign_in(provider, BOB["sub"], elsewhere)
        assert reply.headers["Location"] == "/"


def test_a_wrong_state_is_refused(provider: IdentityProvider, browser: Browser) -> None:
    address = provider.answer(browser.start(), sub=BOB["sub"])
    reply = browser.come_back(changed(address, state="x" * 43))
    assert "does not belong to this sign-in" in problem(reply, 403)
    assert browser.user() is None
    # The attempt is over: the right answer comes too late.
    assert "expired" in problem(browser.come_back(address), 403)


def test_an_answer_works_once_and_in_the_browser_that_asked(
    provider: IdentityProvider, browser: Browser, service: Service
) -> None:
    address = provider.answer(browser.start(), sub=BOB["sub"])
    stranger = Browser(service)
    assert "another browser" in problem(stranger.come_back(address), 403)
    kept = dict(browser.cookies)
    assert browser.come_back(address).status == 302
    assert "already used" in problem(browser.come_back(address), 403)
    thief = Browser(service)
    thief.cookies = kept
    assert "does not belong" in problem(thief.come_back(address), 403)  # the code is used up
    assert thief.user() is stranger.user() is None


def test_a_nonce_of_another_sign_in_is_refused(
    provider: IdentityProvider, browser: Browser
) -> None:
    asked = changed(browser.start(), nonce="of another sign-in")
    reply = browser.come_back(provider.answer(asked, sub=BOB["sub"]))
    assert "does not belong to this sign-in" in problem(reply, 403)
    assert browser.user() is None


def test_a_damaged_cookie_counts_as_none(provider: IdentityProvider, browser: Browser) -> None:
    address = provider.answer(browser.start(), sub=BOB["sub"])
    (name,) = [name for name in browser.cookies if "pending" in name]
    browser.cookies[name] = browser.cookies[name][:-4] + "AAAA"
    assert "expired" in problem(browser.come_back(address), 403)


def test_who_refuses_at_the_provider_reads_why_in_both_languages(
    provider: IdentityProvider, browser: Browser
) -> None:
    denied = provider.answer(browser.start(), action="deny")
    assert query(denied)["error"] == "access_denied"
    address = changed(denied, state=query(browser.start())["state"])
    reply = browser.come_back(address)
    assert problem(reply, 403).startswith("The identity provider has not signed you in.")
    assert 'href="/sign-in"' in reply.body.decode()
    address = changed(denied, state=query(browser.start())["state"])
    reply = browser.get(address[address.index(CALLBACK) :], **{"Accept-Language": "zh-CN"})
    assert problem(reply, 403).startswith("身份提供方未能让你登录")


def test_who_is_not_allowed_is_told_so(
    provider: IdentityProvider, browser: Browser, service: Service
) -> None:
    provider.set_claims("eve-3", preferred_username="eve", groups=["guests"])
    reply = browser.sign_in(provider, "eve-3")
    assert "may not use this chat" in problem(reply, 403)
    assert browser.user() is None
    listed = chatapp(service, "users", "list", "--json")
    assert '"eve"' not in listed
    assert "failed to sign in from 127.0.0.1: error.sign_in_refused.not_allowed" in service.output()


def test_a_disabled_account_stays_closed(
    provider: IdentityProvider, browser: Browser, service: Service
) -> None:
    provider.set_claims("dan-4", preferred_username="dan", groups=["staff"])
    browser.sign_in(provider, "dan-4")
    assert browser.user() is not None
    chatapp(service, "users", "disable", "dan")
    assert "has been disabled" in problem(browser.sign_in(provider, "dan-4"), 403)
    assert Browser(service).user() is None


def test_signing_out_leads_to_the_provider(
    provider: IdentityProvider, browser: Browser, service: Service
) -> None:
    browser.sign_in(provider, BOB["sub"])
    reply = browser.get("/api/auth/logout", "POST")
    assert reply.status == 200
    address = reply.json["end_session_url"]
    assert address.startswith(f"{provider.url}/")
    assert query(address)["post_logout_redirect_uri"] == f"{service.url}/sign-in"
    assert browser.user() is None


def test_the_account_of_a_provider_takes_no_password(
    provider: IdentityProvider, browser: Browser, service: Service
) -> None:
    browser.sign_in(provider, BOB["sub"])
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    body = {"password": "correct horse battery"}
    reply = service.request("PUT", "/api/auth/password", body, None, Cookie=cookie)
    assert reply.status == 403 and "identity provider" in reply.json["error"]["message"]


def test_a_provider_that_is_away_is_named_as_the_reason(tmp_path: Path) -> None:
    with IdentityProvider() as gone:
        url = gone.url
    variables = {"CHATAPP_OIDC_ISSUER": url, "CHATAPP_OIDC_CLIENT_ID": "chat"}
    with Service(tmp_path, HTTP_PROXY="http://127.0.0.1:9", **variables) as service:
        reply = Browser(service).get(START)
        assert problem(reply, 502).startswith("The identity provider does not respond.")
        assert service.get("/sign-in", token=None).status == 200


def chatapp(service: Service, *arguments: str) -> str:
    """Run a command of the terminal."""
    command = [sys.executable, "-m", "chatapp", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=service.environ, capture_output=True, text=True, check=True
    )
    return done.stdout
