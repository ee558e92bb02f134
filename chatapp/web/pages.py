"""The page: its HTML, import map and security headers, and static files under a path per build.

Templates contain no data; the page reads it from the API.
"""

import base64
import functools
import gzip
import hashlib
import json
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from flask import Blueprint, Response, abort, g, make_response, render_template, request
from markupsafe import Markup
from werkzeug.wrappers import Response as BaseResponse

from chatapp.i18n import say
from chatapp.web.bundle import FOLDER, Bundle, current
from chatapp.web.proxies import root_url
from chatapp.web.reference import reference
from chatapp.web.services import services

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "static"
LANGUAGES = {"en": "English", "zh-CN": "简体中文"}
SERVER_KEYS = ("error.", "server.", "builtin.", "cli.", "setup.")
THEMES = ("light", "dark")
YEAR_SECONDS = 31_536_000
GZIP_MIN_BYTES = 1_000
COMPRESSIBLE = ("text/", "application/json", "image/svg+xml")
# Mermaid writes style sheets and HTML, which Trusted Types would refuse. Where it runs there is no
# origin, cookie or network, and nothing to fetch but its own script and style.
DIAGRAM_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; sandbox allow-scripts"
)
REFERENCE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
MODULES = {
    "markdown-it": "vendor/markdown-it.js",
    "markdown-it-cjk-friendly": "vendor/markdown-it-cjk-friendly.js",
    "markdown-it-footnote": "vendor/markdown-it-footnote.js",
    "get-east-asian-width": "vendor/get-east-asian-width/index.js",
    "dompurify": "vendor/dompurify.js",
    "katex": "vendor/katex/katex.js",
    "katex/contrib/mhchem": "vendor/katex/mhchem.js",
}

bp = Blueprint("pages", __name__, template_folder=str(ROOT / "templates"))


@bp.get("/", defaults={"session_id": None})
@bp.get("/c/<uuid:session_id>")
def chat(session_id: UUID | None) -> BaseResponse:
    """Show the chat; the page reads the session id from its address."""
    return _page("index.html")


@bp.get("/sign-in")
def sign_in() -> BaseResponse:
    """Show the sign-in page, which redirects signed-in users unless they follow a new link."""
    return _page("sign-in.html")


def problem(error: Mapping[str, Any], status: int) -> tuple[Response, int]:
    """Show an error, as errors.py describes it, as a page."""
    message = "" if status == HTTPStatus.NOT_FOUND else error["message"]
    return _page("problem.html", message), status


@bp.get("/docs")
def docs() -> Response:
    """Show all calls of the API, in a page without scripts."""
    response = _page("reference.html", reference={**reference(), "base": root_url()})
    response.headers["Content-Security-Policy"] = REFERENCE_POLICY
    return response


def sign_in_failed(message: str) -> Response:
    """Show why signing in at a provider failed."""
    return _page("sign-in-failed.html", message)


@bp.get("/diagram")
def diagram() -> Response:
    """Show the empty frame in which the page draws a diagram, in an opaque origin of its own."""
    response = _page("diagram.html")
    response.headers["Content-Security-Policy"] = DIAGRAM_POLICY
    return response


@bp.get("/static/v-<build>/<path:name>")
def static_file(build: str, name: str) -> BaseResponse:
    """Serve a static file; under the current build it may be cached forever."""
    known = shell()
    if name not in known.files:
        abort(404)
    body = _file(name)
    kind = _media_type(name)
    response = _compressed(body, kind, _gzipped(name) if kind.startswith(COMPRESSIBLE) else None)
    fresh = f"public, max-age={YEAR_SECONDS}, immutable" if build == known.build else "no-cache"
    response.headers["Cache-Control"] = fresh
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@dataclass(frozen=True, slots=True)
class Shell:
    """Values that are the same in every response of this process."""

    build: str
    files: Mapping[str, Path]
    bundle: Bundle
    catalogues: Mapping[str, Mapping[str, str]]


@functools.cache
def shell() -> Shell:
    """Read the names and contents of the static files; those of the bundle come first."""
    bundle = current(STATIC)
    files = {
        path.relative_to(STATIC).as_posix(): path
        for path in sorted(STATIC.rglob("*"))
        if _is_public(path)
    }
    files |= {name: STATIC / FOLDER / name for name in bundle.files}
    digest = hashlib.sha256()
    for name, path in files.items():
        digest.update(name.encode() + b"\0" + (bundle.files.get(name) or path.read_bytes()))
    build = digest.hexdigest()[:12]
    catalogues = {language: _catalogue(language) for language in LANGUAGES}
    return Shell(build, files, bundle, catalogues)


@functools.cache
def _import_map(static: str) -> str:
    """Return the import map for the static files below an address."""
    imports = {name: f"{static}/{file}" for name, file in MODULES.items()}
    return json.dumps({"imports": imports}, separators=(",", ":"))


def _media_type(name: str) -> str:
    """Return a file's type; not every system knows fonts."""
    if name.endswith(".woff2"):
        return "font/woff2"
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _is_public(path: Path) -> bool:
    parts = path.relative_to(STATIC).parts
    hidden = parts[0] == FOLDER or any(part.startswith(".") for part in parts)
    return path.is_file() and not hidden


@functools.cache
def _policy(import_map: str, reaches: str = "'self'", images: str = "'self' data: blob:") -> str:
    """Return the Content-Security-Policy; the only inline script it allows is the import map.

    `reaches` is where scripts connect and forms are sent to.
    """
    digest = base64.b64encode(hashlib.sha256(import_map.encode()).digest()).decode()
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'sha256-{digest}'",
            "style-src 'self'",
            "font-src 'self'",
            "manifest-src 'self'",
            f"img-src {images}",
            f"connect-src {reaches}",
            f"frame-src {reaches}",
            "base-uri 'none'",
            f"form-action {reaches}",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types dompurify",
        )
    )


def _catalogue(language: str) -> Mapping[str, str]:
    """Return the entries of a catalogue that the page uses."""
    entries: dict[str, str] = json.loads(
        (STATIC / "i18n" / f"{language}.json").read_text(encoding="utf-8")
    )
    return {key: text for key, text in entries.items() if not key.startswith(SERVER_KEYS)}


def shared_page(chat: Mapping[str, Any] | None) -> Response:
    """Show a shared chat, or that its link has ended: to anyone, but to no robot and no cache."""
    response = _page("shared.html", chat=chat)
    static = f"{request.script_root}/static/v-{shell().build}"
    response.headers["Content-Security-Policy"] = _policy(_import_map(static), "'none'", "'self'")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def _page(
    template: str,
    message: str = "",
    chat: Mapping[str, Any] | None = None,
    reference: Mapping[str, Any] | None = None,
) -> Response:
    """Render a page in the reader's language and theme, with its security headers."""
    known = shell()
    language = g.language if g.language in LANGUAGES else "en"
    messages = known.catalogues[language]
    limits = {"upload_bytes": services().settings.upload_bytes}
    theme = request.cookies.get("chatapp_theme", "")
    root = request.script_root
    static = f"{root}/static/v-{known.build}"
    import_map = _import_map(static)
    html = render_template(
        template,
        asset=lambda name: f"{static}/{name}",
        config=_data_block({"language": language, "messages": messages, "limits": limits}),
        home=f"{root}/",
        import_map=Markup(import_map),
        language=language,
        signed_in=g.user is not None,
        provider=_provider(),
        splitting=services().settings.splitting,
        accounts=services().settings.auth != "off",
        languages=LANGUAGES,
        preload=lambda name: known.bundle.preload.get(name, ()),
        message=message,
        chat=chat,
        reference=reference,
        say=lambda key: say(language, f"server.docs.{key}", {}),
        t=lambda key: messages.get(key, key),
        theme=theme if theme in THEMES else "",
    )
    body = html.encode()
    response = _compressed(body, "text/html; charset=utf-8", gzip.compress(body, 5))
    response.headers["Content-Security-Policy"] = _policy(import_map)
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Content-Language"] = language
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.vary.update(("Accept-Language", "Cookie"))
    return response


def _provider() -> Mapping[str, str] | None:
    """Return the identity provider's name, and the address that leads to it."""
    if services().provider is None:
        return None
    next = request.args.get("next", "")
    query = f"?{urlencode({'next': next})}" if next else ""
    href = f"{request.script_root}/auth/oidc/start{query}"
    return {"name": services().settings.oidc_name, "href": href}


def _data_block(value: Mapping[str, Any]) -> Markup:
    """Return JSON that is safe inside `<script type="application/json">`."""
    return Markup(
        json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    )


@functools.cache
def _file(name: str) -> bytes:
    return shell().bundle.files.get(name) or shell().files[name].read_bytes()


@functools.cache
def _gzipped(name: str) -> bytes:
    packed = f"{name}.gz"  # made by set-up for large files and for the bundle
    return _file(packed) if packed in shell().files else gzip.compress(_file(name), 9, mtime=0)


def _compressed(body: bytes, kind: str, gzipped: bytes | None) -> Response:
    """Respond with the gzipped body where it exists, is large enough and is accepted."""
    smaller = (
        gzipped is not None and len(body) >= GZIP_MIN_BYTES and request.accept_encodings["gzip"] > 0
    )
    response = make_response(gzipped if smaller else body)
    response.headers["Content-Type"] = kind
    if gzipped is not None:
        response.vary.add("Accept-Encoding")
    if smaller:
        response.headers["Content-Encoding"] = "gzip"
    return response
