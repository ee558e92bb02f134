"""The cookies of this service: names, attributes, reading and setting them."""

from dataclasses import dataclass

from flask import request
from werkzeug.wrappers import Response

from chatapp.addresses import parse_origin
from chatapp.web.services import services


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie that scripts cannot read, without its value."""

    name: str
    path: str
    secure: bool

    def read(self) -> str:
        """Return its value in this request, or an empty string."""
        return request.cookies.get(self.name, "")

    def set(self, response: Response, value: str, seconds: int) -> None:
        """Set it; 0 seconds delete it."""
        response.set_cookie(
            self.name,
            value,
            max_age=seconds,
            path=self.path,
            secure=self.secure,
            httponly=True,
            samesite="Lax",
        )


def login_cookie() -> Cookie:
    """Return the cookie of a browser's login."""
    return _cookie("session")


def browser_cookie() -> Cookie:
    """Return the cookie by which the throttle knows a browser that has signed in before."""
    return _cookie("browser")


def pending_cookie() -> Cookie:
    """Return the cookie of a sign-in that was started at a provider."""
    return _cookie("pending")


def _cookie(purpose: str) -> Cookie:
    """Return a cookie of this service.

    Browsers send cookies to all ports of a host and to all paths below theirs, so port and path are
    part of the name: two services on one machine must not sign each other out. For the prefixes,
    see https://www.rfc-editor.org/rfc/rfc6265bis section 4.1.3.
    """
    public = services().settings.public_url
    origin = public.origin if public else parse_origin(f"{request.scheme}://{request.host}")
    secure = request.is_secure or (public is not None and public.origin.scheme == "https")
    path = request.script_root
    prefix = ("__Secure-" if path else "__Host-") if secure else ""
    port = f"_{origin.port}" if origin and not origin.has_default_port else ""
    return Cookie(f"{prefix}chatapp_{purpose}{port}{path.replace('/', '.')}", path or "/", secure)
