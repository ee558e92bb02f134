"""/auth/oidc: signing in at an identity provider.

The start is a link, since the page's forms may not lead elsewhere. The callback is the only GET
that signs in: the provider sends the browser there, and the cookie of the start proves that this
browser asked for it.
"""

import re
from typing import TYPE_CHECKING

from flask import Blueprint, g, redirect, request
from werkzeug.wrappers import Response

from chatapp.errors import ChatAppError, NotFound
from chatapp.i18n import say
from chatapp.identity.claims import PENDING_SECONDS
from chatapp.web import pages
from chatapp.web.cookies import pending_cookie
from chatapp.web.proxies import root_url
from chatapp.web.services import services
from chatapp.web.signing_in import device, log_refusal, set_login

if TYPE_CHECKING:  # loaded where a provider is configured
    from chatapp.identity.oidc import Provider

CHAT = re.compile(r"/c/[0-9a-f-]{36}", re.IGNORECASE)

bp = Blueprint("provider", __name__, url_prefix="/auth/oidc")


@bp.get("/start")
def start() -> Response:
    """Lead the browser to the provider."""
    provider = _provider()
    next = request.args.get("next", "")
    try:
        with log_refusal():
            url, sealed = provider.start(_callback(), next if CHAT.fullmatch(next) else "/")
    except ChatAppError as error:
        return _failed(error)
    response = redirect(url)
    pending_cookie().set(response, sealed, PENDING_SECONDS)
    return response


@bp.get("/callback")
def callback() -> Response:
    """Sign in whom the provider names, and open the page."""
    provider, cookie = _provider(), pending_cookie()
    try:
        with log_refusal():
            claims, next = provider.finish(cookie.read(), request.args, _callback())
            user, secret = services().identities.sign_in(provider.issuer, claims, device())
    except ChatAppError as error:
        response = _failed(error)
    else:
        g.user = user
        response = redirect(f"{request.script_root}{next}")
        set_login(response, user, secret)
    cookie.set(response, "", 0)  # it works once
    return response


def _provider() -> "Provider":
    if (provider := services().provider) is None:
        raise NotFound
    return provider


def _callback() -> str:
    return f"{root_url()}/auth/oidc/callback"


def _failed(error: ChatAppError) -> Response:
    response = pages.sign_in_failed(say(g.language, error.key, error.params))
    response.status_code = error.status
    response.headers["Cache-Control"] = "no-store"
    return response
