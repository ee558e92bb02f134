"""Health, readiness and the API description."""

import contextlib
import threading
import time
from typing import Any

from flask import jsonify, request
from sqlalchemy import text

from chatapp.errors import DatabaseUnusable, DiskFull
from chatapp.home import helpers_run, url
from chatapp.knowledge.json_client import ErrorStatus, JsonClient, Unreachable
from chatapp.processes.helpers import HEALTH_PATHS, expected
from chatapp.settings import Settings
from chatapp.web.blueprint import LazyBlueprint, description
from chatapp.web.services import services

bp = LazyBlueprint("ops", __name__, doc_ui=False)

HEALTH_SECONDS = 1  # until a helper counts as missing


@bp.get("/healthz")
def healthz() -> Any:
    """Respond if this worker is alive; checks nothing else."""
    return jsonify(status="ok")


@bp.get("/readyz")
def readyz() -> Any:
    """List what is missing; 503 if answers cannot be stored, also on a full disk.

    Without the helpers, answers and keyword search still work.
    """
    settings = services().settings
    missing = ["helpers"] if settings.helpers and not helpers_run(settings.home) else []
    missing += _unhealthy(settings)
    state = "not ready"
    try:
        services().database.read(lambda t: t.execute(text("SELECT 1 FROM users")) and None)
    except Exception as fault:
        missing.insert(0, "database")
        state = fault.code if isinstance(fault, DatabaseUnusable) else state
    stored = "database" not in missing
    full = services().database.check_disk() if stored else None
    if full is not None:
        return jsonify(status=full.code, missing=["disk", *missing]), 503
    try:
        services().knowledge.require_space(0)
    except DiskFull:  # of another disk than the database's
        missing.insert(0, "files")
    return jsonify(status="ready" if stored else state, missing=missing), 200 if stored else 503


def _unhealthy(settings: Settings) -> list[str]:
    """Return the helpers that do not pass their health check in time."""
    healthy: set[str] = set()

    def check(name: str) -> None:
        with contextlib.suppress(Unreachable, ErrorStatus):
            calls = JsonClient(lambda: url(settings, name), ca_file=settings.ca_file)
            calls.call("GET", HEALTH_PATHS[name], None, HEALTH_SECONDS)
            healthy.add(name)

    names = expected(settings)
    deadline = time.monotonic() + HEALTH_SECONDS
    threads = [threading.Thread(target=check, args=(name,), daemon=True) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    return [name for name in names if name not in healthy]


@bp.get("/openapi.json")
def openapi() -> Any:
    """Return the OpenAPI description."""
    url = str(services().settings.public_url or request.script_root or "/")
    return jsonify({**description(), "servers": [{"url": url}]})
