"""What a provider may answer, and which ID tokens are believed."""

import json
import ssl
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey

from chatapp.errors import ChatAppError
from chatapp.identity import oidc
from chatapp.identity.oidc import Provider
from chatapp.identity.refusals import ProviderUnavailable, SignInRefused
from chatapp.identity.secrets import Secret
from chatapp.settings import Settings
from tests.support.idprovider import query

CALLBACK = "https://chat.example.org/auth/oidc/callback"
RSA, EC, ED = (
    RSAKey.generate_key(2048, {"kid": "rsa"}),
    ECKey.generate_key("P-256", {"kid": "ec"}),
    OKPKey.generate_key("Ed25519", {"kid": "ed"}),
)
CLIENT_SECRET = "a secret of this client that is long enough for HS256"


class Canned(ThreadingHTTPServer):
    """A provider that signs whatever it is told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.keys: list[Any] = [RSA, EC, ED]
        self.key, self.header = RSA, {"alg": "RS256", "kid": "rsa"}
        self.claims: dict[str, Any] = {}
        self.user_info: dict[str, Any] = {"sub": "1", "groups": ["chat"]}
        self.metadata: dict[str, Any] = {}
        self.bodies: dict[str, bytes] = {}
        self.asked: list[tuple[str, dict[str, str], str]] = []
        self.nonce = ""
        self.status = 200

    def body(self, path: str) -> bytes:
        if path in self.bodies:
            return self.bodies[path]
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": "chat",
            "sub": "1",
            "nonce": self.nonce,
            "iat": now,
            "exp": now + 300,
        } | self.claims
        given = {name: value for name, value in claims.items() if value is not None}
        found: Any = {
            "/.well-known/openid-configuration": lambda: {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                "userinfo_endpoint": f"{self.url}/me",
                **self.metadata,
            },
            "/keys": lambda: KeySet(self.keys).as_dict(),
            "/token": lambda: {
                "access_token": "access",
                "token_type": "Bearer",
                "id_token": jwt.encode(self.header, given, self.key, [self.header["alg"]]),
            },
            "/me": lambda: self.user_info,
        }
        return json.dumps(found[path]()).encode()


class Handler(BaseHTTPRequestHandler):
    server: Canned

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        form = dict(parse_qsl(self.rfile.read(length).decode()))
        self.server.asked.append((self.path, form, self.headers.get("Authorization", "")))
        body = self.server.body(self.path)
        self.send_response(self.server.status if self.path == "/token" else 200)
        self.send_header("Location", f"{self.server.url}/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def canned() -> Iterator[Canned]:
    with Canned() as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def provider(canned: Canned, tmp_path: Path) -> Provider:
    settings = Settings(
        oidc_issuer=canned.url, oidc_client_id="chat", oidc_client_secret=CLIENT_SECRET
    )
    return Provider(settings, Secret.of(Settings(home=tmp_path)), ssl.create_default_context)


def sign_in(provider: Provider, canned: Canned, **more: str) -> dict[str, Any]:
    url, sealed = provider.start(CALLBACK, "/")
    asked = query(url)
    canned.nonce = asked["nonce"]
    answer = {"state": asked["state"], "code": "the code", **more}
    return dict(provider.finish(sealed, answer, CALLBACK)[0])


def refused(provider: Provider, canned: Canned, **more: str) -> str | None:
    with pytest.raises(ChatAppError) as caught:
        sign_in(provider, canned, **more)
    assert isinstance(caught.value, SignInRefused | ProviderUnavailable)
    return caught.value.detail


@pytest.mark.parametrize(
    ("key", "alg"), [(RSA, "RS256"), (RSA, "PS256"), (EC, "ES256"), (ED, "Ed25519")]
)
def test_a_signed_token_is_believed(provider: Provider, canned: Canned, key: Any, alg: str) -> None:
    canned.key, canned.header = key, {"alg": alg, "kid": key.kid}
    claims = sign_in(provider, canned)
    assert claims["sub"] == "1" and claims["groups"] == ["chat"]


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "of another"},
        {"nonce": None},
        {"aud": "another client"},
        {"aud": ["chat", "another"]},  # without azp
        {"aud": ["chat", "another"], "azp": "another"},
        {"iss": "https://evil.example"},
        {"exp": int(time.time()) - 3600},
        {"exp": None},
        {"sub": None},
        {"at_hash": "of another token"},
    ],
    ids=str,
)
def test_a_token_that_is_not_for_this_sign_in_is_refused(
    provider: Provider, canned: Canned, claims: dict[str, Any]
) -> None:
    canned.claims = claims
    assert refused(provider, canned) == "invalid"


def test_a_signature_of_a_stranger_is_refused(provider: Provider, canned: Canned) -> None:
    canned.key = RSAKey.generate_key(2048, {"kid": "rsa"})
    assert refused(provider, canned) == "invalid"


def test_a_token_signed_by_the_secret_or_not_at_all_is_refused(
    provider: Provider, canned: Canned
) -> None:
    canned.key, canned.header = OctKey.import_key(CLIENT_SECRET), {"alg": "HS256", "kid": "rsa"}
    assert refused(provider, canned) == "invalid"
    unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."
    canned.bodies["/token"] = json.dumps(
        {"access_token": "a", "token_type": "Bearer", "id_token": unsigned}
    ).encode()
    assert refused(provider, canned) == "invalid"


def test_new_keys_of_the_provider_are_fetched(
    provider: Provider, canned: Canned, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(provider, canned)
    fresh = RSAKey.generate_key(2048, {"kid": "fresh"})
    canned.keys, canned.key = [RSA, fresh], fresh
    canned.header = {"alg": "RS256", "kid": "fresh"}
    assert refused(provider, canned) == "invalid"  # not again within a minute
    monkeypatch.setattr(oidc, "KEYS_AGAIN_SECONDS", 0)
    assert sign_in(provider, canned)["sub"] == "1"
    fetched = [path for path, *_ in canned.asked if path.startswith("/.well-known")]
    assert len(fetched) == 1


def test_the_code_is_exchanged_with_the_verifier_and_the_secret(
    provider: Provider, canned: Canned
) -> None:
    sign_in(provider, canned)
    form, authorization = next((form, how) for path, form, how in canned.asked if path == "/token")
    assert form["grant_type"] == "authorization_code" and form["code"] == "the code"
    assert form["redirect_uri"] == CALLBACK and len(form["code_verifier"]) == 43
    assert authorization.startswith("Basic ") and "client_secret" not in form


def test_the_secret_is_sent_as_the_provider_wants_it(provider: Provider, canned: Canned) -> None:
    canned.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    sign_in(provider, canned)
    form, authorization = next((form, how) for path, form, how in canned.asked if path == "/token")
    assert form["client_secret"] == CLIENT_SECRET and not authorization


def test_a_public_client_sends_no_secret(canned: Canned, tmp_path: Path) -> None:
    settings = Settings(oidc_issuer=canned.url, oidc_client_id="chat")
    public = Provider(settings, Secret.of(Settings(home=tmp_path)), ssl.create_default_context)
    assert sign_in(public, canned)["sub"] == "1"
    form, authorization = next((form, how) for path, form, how in canned.asked if path == "/token")
    assert form["client_id"] == "chat" and "client_secret" not in form and not authorization


def test_a_wrong_secret_is_named_as_the_reason(provider: Provider, canned: Canned) -> None:
    canned.status, canned.bodies["/token"] = 401, b'{"error": "invalid_client"}'
    assert refused(provider, canned) == "client"


@pytest.mark.parametrize("more", [{"state": "x"}, {"state": ""}, {"iss": "https://evil.example"}])
def test_an_answer_of_another_sign_in_or_provider_is_refused(
    provider: Provider, canned: Canned, more: dict[str, str]
) -> None:
    assert refused(provider, canned, **more) == "invalid"
    assert not [path for path, *_ in canned.asked if path == "/token"]


def test_a_sign_in_expires(
    provider: Provider, canned: Canned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "PENDING_SECONDS", -1)
    assert refused(provider, canned) == "expired"


def test_the_user_info_of_somebody_else_is_refused(provider: Provider, canned: Canned) -> None:
    canned.user_info = {"sub": "2"}
    assert refused(provider, canned) == "invalid"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/.well-known/openid-configuration", b"<html>"),
        ("/.well-known/openid-configuration", b"[]"),
        ("/.well-known/openid-configuration", b'{"issuer": "https://evil.example"}'),
        ("/token", b'{"access_token": "a", "token_type": "Bearer"}'),
        ("/token", b"[]"),
        ("/me", b"not JSON"),
        ("/keys", b'{"keys": [{"kty": "RSA"}]}'),
    ],
)
def test_what_is_not_openid_connect_is_named_as_such(
    provider: Provider, canned: Canned, path: str, body: bytes
) -> None:
    canned.bodies[path] = body
    assert refused(provider, canned) in ("answer", "invalid" if path == "/keys" else "answer")


def test_redirects_are_not_followed(provider: Provider, canned: Canned) -> None:
    canned.status = 307
    assert refused(provider, canned) is None
    assert not [path for path, *_ in canned.asked if path == "/elsewhere"]
