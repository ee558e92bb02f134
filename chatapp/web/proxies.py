"""WSGI middleware for requests that come through proxies: who sent them, and below which path.

Headers count only from trusted proxies: from the right, each address in `X-Forwarded-For` was added
by the proxy before it, so the first one that is not a trusted proxy is the client. A proxy may
remove the path of CHATAPP_PUBLIC_URL or leave it. Only a trusted one may name the user.
"""

import logging
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from flask import Flask, request
from werkzeug.http import parse_list_header
from werkzeug.middleware.proxy_fix import ProxyFix

from chatapp.addresses import client_chain, is_within, parse_address
from chatapp.identity.person import Person
from chatapp.settings import Settings
from chatapp.web.services import services

log = logging.getLogger("chatapp.web")

FOR, PROTO, HOST = "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST"
FORWARDED = (FOR, PROTO, HOST, "HTTP_X_FORWARDED_PORT", "HTTP_X_FORWARDED_PREFIX")
SCHEMES = ("http", "https")


class Proxies:
    """Wraps an app's `wsgi_app`."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._app = app.wsgi_app
        self._routes = app.url_map.bind("")
        self._path = settings.public_url.path if settings.public_url else ""
        self._trusted = settings.trusted_proxies
        user = f"HTTP_{settings.auth_header.upper().replace('-', '_')}"
        self._removed = (*FORWARDED, user) if settings.auth_header else FORWARDED
        self._has_warned = False

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Correct the environment, then call the app."""
        self._remove_path(environ)
        peer = environ.get("REMOTE_ADDR", "")
        if peer and not self._is_trusted(peer):
            self._ignore_headers(environ, peer)
        if FOR not in environ and PROTO not in environ:
            return self._app(environ, start_response)
        clients = client_chain(parse_list_header(environ.get(FOR, "")), self._trusted)
        schemes = [
            scheme.lower()
            for scheme in parse_list_header(environ.get(PROTO, ""))
            if scheme.lower() in SCHEMES
        ]
        environ[FOR], environ[PROTO] = ", ".join(clients), ", ".join(schemes)
        fix = ProxyFix(self._app, len(clients), min(max(1, len(clients)), len(schemes)))
        return fix(environ, start_response)

    def _is_trusted(self, peer: str) -> bool:
        address = parse_address(peer)
        return address is not None and is_within(address, self._trusted)

    def _ignore_headers(self, environ: WSGIEnvironment, peer: str) -> None:
        sent = [name for name in self._removed if environ.pop(name, None) is not None]
        if sent and not self._has_warned:
            self._has_warned = True
            log.warning(
                "ignored the X-Forwarded headers of %s: if it is a proxy of yours, add it to "
                "CHATAPP_TRUSTED_PROXIES",
                peer,
            )

    def _remove_path(self, environ: WSGIEnvironment) -> None:
        """Remove the public path, unless the path is a route as it is: the proxy has removed it."""
        # nginx's `location /chat { proxy_pass http://…/; }` sends two slashes.
        path = "/" + environ["PATH_INFO"].lstrip("/")
        if self._path:
            environ["SCRIPT_NAME"] = self._path
            below = path.removeprefix(self._path)
            if (
                below != path
                and below[:1] in ("", "/")
                and not self._routes.test(path, environ["REQUEST_METHOD"])
            ):
                path = "/" + below.lstrip("/")
        environ["PATH_INFO"] = path


def root_url() -> str:
    """Return the address of this service as its clients know it, without a slash at its end."""
    public = services().settings.public_url
    return str(public) if public else request.url_root.rstrip("/")


def proxy_user() -> Person | None:
    """Return whom the header of CHATAPP_AUTH_HEADER names; untrusted ones have been removed.

    Of several names, which some proxies join by a comma, none counts.
    """
    header = services().settings.auth_header
    sent = request.headers.get(header, "") if header else ""
    name = sent.encode("latin-1").decode("utf-8", "replace").strip()
    return services().identities.by_name(name) if name and "," not in name else None
