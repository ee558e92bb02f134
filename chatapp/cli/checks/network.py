"""Checks of the running service and of the addresses of suppliers and reranker. No key is sent."""

import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from chatapp.chains.http.tls import is_loopback, tls_context
from chatapp.cli.checks.finding import FAIL, OK, WARN, Finding
from chatapp.cli.service import Service, address_here, url_here
from chatapp.cli.terminal import End, say
from chatapp.errors import ChatAppError
from chatapp.home import CHROMA, helpers_run, url_of
from chatapp.knowledge.json_client import ErrorStatus, JsonClient, Unreachable
from chatapp.processes.helpers import HEALTH_PATHS
from chatapp.settings import OFF, Settings, proxy_variables
from chatapp.storage.database import open_database
from chatapp.storage.models import Supplier

ANSWER_SECONDS = 3
CONNECT_SECONDS = 4
OPENAI_URL = "https://api.openai.com/v1"
MISSING = {
    "database": ("doctor.missing_database", FAIL),
    "helpers": ("doctor.missing_helpers", WARN),
    "chroma": ("doctor.missing_chroma", WARN),
    "embedder": ("doctor.missing_embedder", WARN),
}


def service(settings: Settings) -> Iterator[Finding]:
    """Check the service at its address and its helpers, or that the address is free."""
    address = address_here(settings)
    try:
        missing = _ready(url_of(address))
    except ConnectionRefusedError:
        if helpers_run(settings.home):
            yield Finding("helpers", OK, say("doctor.helpers_only", address=address))
            return
        yield Finding("service", OK, say("doctor.not_running", address=address))
        return
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        yield Finding("service", FAIL, say("doctor.other_program", address=address))
        return
    yield Finding("service", OK, say("doctor.running", address=address))
    for name in missing:
        if name == CHROMA and settings.chroma_url:
            continue  # its own check says more
        key, state = MISSING.get(name, ("doctor.missing_helpers", WARN))
        yield Finding(name, state, say(key))
    if not missing:
        yield Finding("helpers", OK, say("doctor.helpers"))


def chroma(settings: Settings) -> Iterator[Finding]:
    """Check Chroma's server where one is configured."""
    if not settings.chroma_url:
        return
    calls = JsonClient(lambda: settings.chroma_url, ca_file=settings.ca_file)
    try:
        calls.call("GET", HEALTH_PATHS[CHROMA], None, ANSWER_SECONDS)
    except (Unreachable, ErrorStatus):
        yield Finding(CHROMA, WARN, say("doctor.chroma_away", url=settings.chroma_url))
    else:
        yield Finding(CHROMA, OK, say("doctor.chroma", url=settings.chroma_url))


def proxies(settings: Settings) -> Iterator[Finding]:
    """Report proxy variables of the environment, which the product ignores."""
    if found := proxy_variables():
        key = "doctor.proxies_unused" if not settings.proxy else "doctor.proxies_other"
        yield Finding("proxy", OK if settings.proxy else WARN, say(key, names=", ".join(found)))


def reranker(settings: Settings) -> Iterator[Finding]:
    """Check the address of the reranker where one is configured."""
    if settings.reranker == OFF:
        return
    name, url = settings.reranker, settings.reranker_url
    why = _reach(url, settings)
    yield Finding(
        "reranker",
        OK if why is None else WARN,
        say(why or "doctor.reranker", name=name, url=url),
    )


def suppliers(settings: Settings) -> Iterator[Finding]:
    """Check the addresses of all suppliers at the same time."""
    places = _addresses(settings)
    if not places:
        yield Finding("suppliers", OK, say("doctor.no_suppliers"))
        return
    with ThreadPoolExecutor(len(places)) as pool:
        for (name, url), why in zip(
            places, pool.map(lambda place: _reach(place[1], settings), places), strict=True
        ):
            if why is None:
                yield Finding("suppliers", OK, say("doctor.supplier", name=name, url=url))
            else:
                yield Finding("suppliers", WARN, say(why, name=name, url=url))


def _ready(url: str) -> list[str]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(
        parts.hostname or "", parts.port, timeout=ANSWER_SECONDS
    )
    try:
        connection.request("GET", "/readyz")
        said = json.loads(connection.getresponse().read(65536))
        return [str(name) for name in said["missing"]]
    finally:
        connection.close()


def _addresses(settings: Settings) -> list[tuple[str, str]]:
    """Return names and addresses, from the running service if there is one, else the database.

    The service also knows the supplier of its own environment.
    """
    here = replace(Service.from_settings(settings), url=url_here(settings))
    with suppress(End):
        return [
            (row["name"], row["base_url"])
            for row in here.call("GET", "/api/suppliers", seconds=ANSWER_SECONDS)["items"]
        ]
    own = (
        [("openai", settings.openai_base_url or OPENAI_URL)]
        if settings.openai_api_key or settings.openai_base_url
        else []
    )
    if settings.sqlite_file and not settings.sqlite_file.exists():
        return own
    query = (
        select(Supplier.name, Supplier.base_url)
        .where(Supplier.enabled)
        .order_by(Supplier.created_at)
    )
    with suppress(
        SQLAlchemyError, ChatAppError, ImportError
    ):  # reported by the check of the database
        database = open_database(settings.sql_url)
        own += database.read(lambda t: [(name, url) for name, url in t.execute(query)])
        database.close()
    return own


def _reach(url: str, settings: Settings) -> str | None:
    """Connect to where a request would go; return the key of the problem, None if it works."""
    through = bool(settings.proxy) and not is_loopback(url)
    parts = urlsplit(settings.proxy if through else url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((parts.hostname or "", port), CONNECT_SECONDS) as connection:
            if parts.scheme == "https":
                tls_context(settings.ca_file).wrap_socket(
                    connection, server_hostname=parts.hostname
                ).close()
    except ssl.SSLCertVerificationError:
        return "doctor.supplier_certificate"
    except socket.gaierror:
        return "doctor.proxy_unknown" if through else "doctor.supplier_unknown"
    except (OSError, ValueError):
        return "doctor.proxy_away" if through else "doctor.supplier_away"
    return None
