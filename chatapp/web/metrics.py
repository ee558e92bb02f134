"""/metrics, for Prometheus, and /api/metrics: the same figures for administrators."""

import hmac
from datetime import UTC, datetime
from typing import Any

from flask import Response, jsonify
from flask_openapi3 import Tag

from chatapp.errors import NotFound, Unauthorized
from chatapp.metrics import figures
from chatapp.metrics.counting import COUNTED, MEASURED, MINUTES, WIDTH, Counts
from chatapp.metrics.exposition import CONTENT_TYPE, written
from chatapp.web.blueprint import LazyBlueprint
from chatapp.web.gauges import waiting_documents
from chatapp.web.metrics_responses import Metrics
from chatapp.web.request import bearer, require_admin
from chatapp.web.services import services

bp = LazyBlueprint(
    "metrics",
    __name__,
    abp_tags=[Tag(name="metrics", description="Figures for operators.")],
)


@bp.get("/metrics")
def get_metrics() -> Response:
    """Get the figures of this host in Prometheus' text format.

    It takes CHATAPP_METRICS_TOKEN as the bearer token; without that setting there is no such
    address.
    """
    token = services().settings.metrics_token
    if not token:
        raise NotFound("address")
    if not hmac.compare_digest(bearer().encode(), token.encode()):
        raise Unauthorized("token")
    return Response(written(_counts()), content_type=CONTENT_TYPE)


@bp.get("/api/metrics", responses={200: Metrics})
def get_figures() -> Any:
    """Get the figures of this host now and in each of the last 60 minutes, the oldest first."""
    require_admin()
    counts = _counts()
    codes = figures.SUPPLIER_ERRORS
    return jsonify(
        now={
            "processes": _sum(counts.gauges, figures.PROCESSES.name),
            "live_answers": _sum(counts.gauges, figures.LIVE_ANSWERS.name),
            "readers": _sum(counts.gauges, figures.READERS.name),
            "connections": _sum(counts.gauges, figures.CONNECTIONS.name),
            "connections_limit": _sum(counts.gauges, figures.CONNECTIONS_LIMIT.name),
            "documents_waiting": _sum(counts.gauges, figures.WAITING.name),
            "documents_oldest_seconds": counts.gauges.get(figures.OLDEST.name, 0),
        },
        supplier_errors={
            name.split('"')[1]: round(count)
            for name, count in sorted(counts.samples.items())
            if name.startswith(codes.name)
        },
        minutes=_minutes(counts),
    )


def _counts() -> Counts:
    found = services().figures.all()
    found.gauges |= waiting_documents(services().database)
    return found


def _sum(gauges: dict[str, float], name: str) -> int:
    return round(sum(value for sample, value in gauges.items() if sample.partition("{")[0] == name))


def _minutes(counts: Counts) -> list[dict[str, Any]]:
    """Return one row for each minute; averages of minutes without any are null."""
    last = int(datetime.now(UTC).timestamp() // 60)
    return [
        _minute(minute, counts.minutes.get(minute, [0] * WIDTH))
        for minute in range(last - MINUTES + 1, last + 1)
    ]


def _minute(minute: int, row: list[float]) -> dict[str, Any]:
    live, *rest = row
    counted, measured = rest[: len(COUNTED)], rest[len(COUNTED) :]
    answers, errors = map(round, counted)
    averages = [
        total / count if count else None
        for total, count in zip(measured[::2], measured[1::2], strict=True)
    ]
    names = [figure.name.removeprefix("chatapp_") for figure in MEASURED]
    return {
        "time": datetime.fromtimestamp(minute * 60, UTC).replace(tzinfo=None),
        "live_answers": round(live),
        "answers": answers,
        "supplier_errors": errors,
        **dict(zip(names, averages, strict=True)),
    }
