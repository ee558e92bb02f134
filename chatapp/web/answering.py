"""What all views that start an answer share: limits, a place for its reader, and its job."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import current_app, g, request

from chatapp.chains.build import build_chain
from chatapp.chat.chosen_model import ResolvedModel
from chatapp.chat.question import Opened
from chatapp.chat.runs.runs import Job, Reader
from chatapp.errors import Overloaded, Restarting
from chatapp.web.connection import close_after_response, limit_sending
from chatapp.web.data_urls import most_body_bytes, require_few_values
from chatapp.web.services import services

STREAM_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}


def take_pictures() -> None:
    """Accept a body that is large because of the pictures in it."""
    without = current_app.config["MAX_CONTENT_LENGTH"]
    request.max_content_length = most_body_bytes(without)
    require_few_values(request.get_data(), without)


@contextmanager
def admitted() -> Iterator[Reader]:
    """Reserve a reader before anything is stored; release it only if the request fails."""
    runs = services().runs
    try:
        reader = runs.admit(limit_sending(request.environ, services().settings.reader_seconds))
    except (Overloaded, Restarting):
        close_after_response(request.environ)
        raise
    try:
        yield reader
    except BaseException:
        runs.dismiss(reader)
        raise


def job_of(opened: Opened, resolved: ResolvedModel, *, has_tools: bool = False) -> Job:
    """Return what a run needs for an answer that can start.

    `has_tools`: the model may call tools instead of answering.
    """
    app, bases = services(), opened.bases
    assert opened.context is not None and opened.ask is not None

    def build() -> Any:
        model = app.suppliers.runnable(resolved)
        if bases is None:
            return build_chain(model)
        rewrite = app.settings.rewrite and resolved.endpoint is not None
        md5s = list(opened.md5s) or None
        return build_chain(
            model,
            lambda query: app.knowledge.search(bases, query, opened.search_k, md5s),
            rewrite,
            lambda: app.knowledge.unread(bases, md5s),
        )

    names = ",".join(bases.ids) if bases else "-"
    note = (
        f"supplier={resolved.supplier} model={resolved.model} bases={names} request={g.request_id}"
    )
    supplier = resolved.endpoint.label if resolved.endpoint else resolved.supplier
    return Job(
        opened.context,
        opened.user_id,
        opened.ask,
        build,
        supplier,
        note,
        resolved.supplier,
        resolved.model,
        has_tools=has_tools or resolved.has_tools,
        is_built_in=resolved.endpoint is None,
    )
