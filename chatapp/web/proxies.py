"""WSGI middleware for requests that come through proxies: who sent them, and below which path.

Headers count only from trusted proxies: from the right, each address in `X-Forwarded-For` was added
by the proxy before it, so the first one that is not a trusted proxy is the client. A proxy may
remove the path of CHATAPP_PUBLIC_URL or leave it.
"""

import logging
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from flask import Flask
from werkzeug.http import parse_list_header
from werkzeug.middleware.proxy_fix import ProxyFix

from chatapp.addresses import is_within, parse_address
from chatapp.settings import Settings

log = logging.getLogger("chatapp.web")

FOR, PROTO, HOST = "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST"
FORWARDED = (FOR, PROTO, HOST, "HTTP_X_FORWARDED_PORT", "HTTP_X_FORWARDED_PREFIX")
SCHEMES = ("http", "https")
MOST_PROXIES = 16  # one after the other; what is written before them is not read


class Proxies:
    """Wraps an app's `wsgi_app`."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._app = app.wsgi_app
        self._routes = app.url_map.bind("")
        self._path = settings.public_url.path if settings.public_url else ""
        self._trusted = settings.trusted_proxies
        self._has_warned = False

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Correct the environment, then call the app."""
        self._remove_path(environ)
        peer = environ.get("REMOTE_ADDR", "")
        if peer and not self._is_trusted(peer):
            self._ignore_headers(environ, peer)
        if FOR not in environ and PROTO not in environ:
            return self._app(environ, start_response)
        clients = self._clients(parse_list_header(environ.get(FOR, "")))
        schemes = [
            scheme.lower()
            for scheme in parse_list_header(environ.get(PROTO, ""))
            if scheme.lower() in SCHEMES
        ]
        environ[FOR], environ[PROTO] = ", ".join(clients), ", ".join(schemes)
        fix = ProxyFix(self._app, len(clients), min(max(1, len(clients)), len(schemes)))
        return fix(environ, start_response)

    def _clients(self, addresses: list[str]) -> list[str]:
        """Return the client and the trusted proxies after it.

        What is not an address ends the list: the proxy that sent it counts as the client.
        """
        found: list[str] = []
        for text in reversed(addresses[-MOST_PROXIES:]):
            address = parse_address(text)
            if address is None:
                break
            found.insert(0, str(address))
            if not is_within(address, self._trusted):
                break
        return found

    def _is_trusted(self, peer: str) -> bool:
        address = parse_address(peer)
        return address is not None and is_within(address, self._trusted)

    def _ignore_headers(self, environ: WSGIEnvironment, peer: str) -> None:
        sent = [name for name in FORWARDED if environ.pop(name, None) is not None]
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
