"""What all ways of signing in share: the client's address, the log, the cookies of a login."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from flask import g, request
from werkzeug.wrappers import Response

from chatapp.errors import ChatAppError
from chatapp.identity.person import Person
from chatapp.identity.throttle import KNOWN_DAYS
from chatapp.identity.tokens import LOGIN_DAYS, Device
from chatapp.web.browsers import browser_name
from chatapp.web.cookies import browser_cookie, login_cookie
from chatapp.web.services import services

DAY_SECONDS = 86400

log = logging.getLogger("chatapp.web")


def client() -> str:
    """Return the address of the client, as trusted proxies give it; empty at a Unix socket."""
    return request.remote_addr or ""


def device() -> Device:
    """Return what a login is known by in the list of sign-ins."""
    return Device(browser_name(request.user_agent.string), client())


@contextmanager
def log_refusal() -> Iterator[None]:
    """Log why signing in fails, without the name: people type their password there."""
    try:
        yield
    except ChatAppError as error:
        address = client() or "a Unix socket"
        log.info("request %s failed to sign in from %s: %s", g.request_id, address, error.key)
        raise


def set_login(response: Response, user: Person, secret: str) -> None:
    """Set the cookies of a new login, and remember the browser."""
    throttle, cookie = services().accounts.throttle, browser_cookie()
    known = throttle.sign_in_succeeded(user.name, client(), cookie.read())
    login_cookie().set(response, secret, LOGIN_DAYS * DAY_SECONDS)
    cookie.set(response, known, KNOWN_DAYS * DAY_SECONDS)
