"""OpenID Connect: signing in at a provider by the authorization code flow with PKCE.

The only module that imports Authlib, joserfc and requests; it is loaded only where a provider is
configured. State, nonce and code verifier of a sign-in are sealed in a cookie of the browser that
started it, so any worker can finish it.
"""

import json
import logging
import secrets
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from requests.adapters import HTTPAdapter

from chatapp.identity.cache import TTLCache
from chatapp.identity.claims import PENDING_SECONDS, Claims
from chatapp.identity.refusals import ProviderUnavailable, SignInRefused
from chatapp.identity.secrets import Secret
from chatapp.settings import Settings

CONNECT_SECONDS, READ_SECONDS = 5, 10
METADATA_SECONDS = 3600
KEYS_AGAIN_SECONDS = 60  # between two fetches for a key that is not known
CLOCK_SECONDS = 60  # by which clocks may differ
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
KEY_TYPES = ("RSA", "EC", "OKP")
METADATA, KEYS = "metadata", "keys"
BASIC = "client_secret_basic"
MOST_LOGGED = 200  # characters of an error

log = logging.getLogger("chatapp.identity")


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in that has been started; `next` is the page to open afterwards."""

    state: str
    nonce: str
    verifier: str
    next: str


class Provider:
    """The configured provider. `trust` returns the TLS context for outgoing calls."""

    def __init__(
        self, settings: Settings, secret: Secret, trust: Callable[[], ssl.SSLContext]
    ) -> None:
        self._settings = settings
        self._secret = secret
        self._trust = trust
        self._cached: TTLCache[str, Any] = TTLCache(METADATA_SECONDS, 2)
        self._keys_fetched_at = 0.0

    @property
    def issuer(self) -> str:
        """The issuer, to which subjects belong."""
        return self._settings.oidc_issuer

    def start(self, callback: str, next: str) -> tuple[str, str]:
        """Return the address to sign in at, and the sealed state; raise ProviderUnavailable."""
        pending = Pending(_random(), _random(), _random(), next)
        url, _ = self._session().create_authorization_url(
            self._endpoint("authorization_endpoint"),
            state=pending.state,
            nonce=pending.nonce,
            code_verifier=pending.verifier,
            redirect_uri=callback,
        )
        return url, self._secret.encrypt(json.dumps(asdict(pending))).decode()

    def finish(self, sealed: str, answer: Mapping[str, str], callback: str) -> tuple[Claims, str]:
        """Return the person's claims and the page to open.

        Raises SignInRefused, ProviderUnavailable.
        """
        pending = self._unseal(sealed)
        if not secrets.compare_digest(answer.get("state", "").encode(), pending.state.encode()):
            raise SignInRefused("invalid")
        if answer.get("iss", self.issuer).rstrip("/") != self.issuer:  # RFC 9207
            raise SignInRefused("invalid")
        if "error" in answer or not answer.get("code"):
            raise SignInRefused("denied")
        session = self._session(self._client_auth())
        try:
            token = session.fetch_token(
                self._endpoint("token_endpoint"),
                grant_type="authorization_code",
                code=answer["code"],
                redirect_uri=callback,
                code_verifier=pending.verifier,
            )
            claims = self._verify(token.get("id_token"), token.get("access_token"), pending.nonce)
            return self._user_info(session, claims) | claims, pending.next
        except (OAuthError, JoseError) as fault:
            log.warning("signing in by the provider failed: %r", str(fault)[:MOST_LOGGED])
            if getattr(fault, "error", "") in ("invalid_client", "unauthorized_client"):
                raise ProviderUnavailable("client") from fault
            raise SignInRefused("invalid") from fault
        except requests.RequestException as fault:
            raise ProviderUnavailable from fault
        except (ValueError, TypeError, KeyError) as fault:
            raise ProviderUnavailable("answer") from fault

    def end_session(self, return_to: str) -> str | None:
        """Return the address at which the provider signs out too, if it has one."""
        try:
            endpoint = self._metadata().get("end_session_endpoint")
        except ProviderUnavailable:
            return None
        if not endpoint:
            return None
        query = {"client_id": self._settings.oidc_client_id, "post_logout_redirect_uri": return_to}
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    def _unseal(self, sealed: str) -> Pending:
        text = self._secret.decrypt(sealed.encode(), PENDING_SECONDS)
        if not text:
            raise SignInRefused("expired")
        return Pending(**json.loads(text))

    def _verify(self, id_token: object, access_token: object, nonce: str) -> dict[str, Any]:
        """Check the signature and the claims of an ID token; raise JoseError, ValueError."""
        if not isinstance(id_token, str):
            raise ValueError("no ID token")
        try:
            token = jwt.decode(id_token, self._keys(), algorithms=ALGORITHMS)
        except InvalidKeyIdError:  # the provider has new keys
            self._forget_keys()
            token = jwt.decode(id_token, self._keys(), algorithms=ALGORITHMS)
        client_id = self._settings.oidc_client_id
        claims = CodeIDToken(
            token.claims,
            token.header,
            {
                "iss": {"essential": True, "value": self._metadata()["issuer"]},
                "aud": {"essential": True, "value": client_id},
            },
            {"nonce": nonce, "client_id": client_id, "access_token": access_token},
        )
        claims.validate(leeway=CLOCK_SECONDS)
        return dict(claims)

    def _user_info(self, session: OAuth2Session, claims: Claims) -> dict[str, Any]:
        """Return further claims: some providers put groups and addresses here only."""
        endpoint = self._metadata().get("userinfo_endpoint")
        if not endpoint:
            return {}
        found = _json(session.get(endpoint))
        if found.get("sub") != claims["sub"]:
            raise SignInRefused("invalid")
        return found

    def _endpoint(self, name: str) -> str:
        return str(self._metadata()[name])

    def _metadata(self) -> dict[str, Any]:
        """Return the discovery document."""

        def load() -> dict[str, Any]:
            found = self._fetch(f"{self.issuer}/.well-known/openid-configuration")
            required = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
            if not all(str(found.get(name, "")).startswith("http") for name in required):
                raise ProviderUnavailable("answer")
            if found["issuer"].rstrip("/") != self.issuer:
                raise ProviderUnavailable("answer")
            return found

        found: dict[str, Any] = self._cached.get(METADATA, load) or {}
        return found

    def _keys(self) -> KeySet:
        """Return the keys by which the provider signs."""

        def load() -> KeySet:
            self._keys_fetched_at = time.monotonic()
            found = self._fetch(self._endpoint("jwks_uri")).get("keys") or []
            return KeySet.import_key_set(
                {
                    "keys": [
                        key
                        for key in found
                        if isinstance(key, dict) and key.get("kty") in KEY_TYPES
                    ]
                }
            )

        return self._cached.get(KEYS, load) or KeySet([])

    def _forget_keys(self) -> None:
        if time.monotonic() - self._keys_fetched_at > KEYS_AGAIN_SECONDS:
            self._cached.drop(KEYS)

    def _fetch(self, url: str) -> dict[str, Any]:
        """Return a JSON object; raise ProviderUnavailable."""
        try:
            return _json(self._session().get(url, withhold_token=True))
        except requests.RequestException as fault:
            raise ProviderUnavailable from fault
        except ValueError as fault:
            raise ProviderUnavailable("answer") from fault

    def _session(self, method: str = "none") -> "_Session":
        return _Session(self._settings, self._trust(), method)

    def _client_auth(self) -> str:
        """Return how this client identifies itself at the token endpoint."""
        if not self._settings.oidc_client_secret:
            return "none"
        methods = self._metadata().get("token_endpoint_auth_methods_supported", [BASIC])
        return BASIC if BASIC in methods else "client_secret_post"


class _Session(OAuth2Session):  # type: ignore[misc]
    """Calls to the provider: no redirects, no proxy or password of the environment."""

    def __init__(self, settings: Settings, trust: ssl.SSLContext, method: str) -> None:
        super().__init__(
            settings.oidc_client_id,
            settings.oidc_client_secret or None,
            token_endpoint_auth_method=method,
            scope=settings.oidc_scopes,
            code_challenge_method="S256",
            default_timeout=(CONNECT_SECONDS, READ_SECONDS),
        )
        self.trust_env = False
        self.verify = settings.ca_file or True
        if settings.proxy and settings.oidc_issuer.startswith("https"):  # else on this machine
            self.proxies = {"http": settings.proxy, "https": settings.proxy}
        self.mount("https://", _Adapter(trust))

    def request(self, method: str, url: str, **options: Any) -> requests.Response:
        """Send a request without following redirects."""
        response: requests.Response = super().request(
            method, url, **{**options, "allow_redirects": False}
        )
        if response.is_redirect:
            raise requests.TooManyRedirects(response=response)
        return response


class _Adapter(HTTPAdapter):
    """Connections that trust what all outgoing calls do."""

    def __init__(self, trust: ssl.SSLContext) -> None:
        self._trust = trust
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Create the pool of direct connections."""
        super().init_poolmanager(*args, ssl_context=self._trust, **options)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Create the pool of connections through a proxy."""
        return super().proxy_manager_for(proxy, ssl_context=self._trust, **options)


def _random() -> str:
    return secrets.token_urlsafe(32)


def _json(response: requests.Response) -> dict[str, Any]:
    """Return a JSON object; raise RequestException for an error, ValueError for anything else."""
    response.raise_for_status()
    found = json.loads(response.content)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found
