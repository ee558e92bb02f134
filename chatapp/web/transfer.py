"""/api/sessions/export and /import: all chats as a ZIP, and chats from export files."""

from contextlib import ExitStack
from typing import Any

from flask import Response, current_app, g, jsonify, stream_with_context
from flask_openapi3 import Tag

from chatapp.chat.transfer.exporting import chats_of, zipped
from chatapp.chat.transfer.importing import Report, import_chats
from chatapp.i18n import say
from chatapp.web.blueprint import LazyBlueprint
from chatapp.web.request import current_user
from chatapp.web.services import services
from chatapp.web.session_responses import ImportReport
from chatapp.web.sessions import localized
from chatapp.web.uploads import receive

bp = LazyBlueprint(
    "transfer",
    __name__,
    url_prefix="/api/sessions",
    abp_tags=[Tag(name="sessions", description="Sessions and their messages.")],
)


@bp.get("/export")
def export_all_sessions() -> Response:
    """Export all sessions as a ZIP.

    Each session as JSON with all branches, which can be imported, and its current branch as
    Markdown.
    """
    user_id, to_json = current_user().id, current_app.json.dumps
    chats = (
        (session, [localized(row) for row in rows])
        for session, rows in chats_of(services().sessions, user_id)
    )
    response = Response(stream_with_context(zipped(chats, to_json)), mimetype="application/zip")
    response.headers.set("Content-Disposition", "attachment", filename="chats.zip")
    return response


@bp.post("/import", responses={200: ImportReport})
def import_sessions() -> Any:
    """Import sessions from export files (multipart, field `files`, may be repeated).

    Reads the service's own exports, ChatGPT's conversations.json or its ZIP, and Open WebUI's.
    The same file twice adds nothing. The response says what was taken, and what was not and why.
    """
    app, user_id, report = services(), current_user().id, Report()
    with ExitStack() as arrived:
        files = receive(
            arrived,
            "files",
            app.settings.upload_bytes,
            app.knowledge.require_space,
            app.knowledge.originals.incoming,
        )
        for _, content in files:
            content.finish()
            with content.reading() as file:
                import_chats(app.database, user_id, file, report)
    return jsonify(
        chats=report.chats,
        messages=report.messages,
        grown=report.grown,
        present=report.present,
        left_out_chats=report.left_out_chats,
        left_out=[
            {"title": title, "reason": reason, "message": _reason(reason)}
            for title, reason in report.left_out
        ],
        parts=[
            {"reason": reason, "count": count, "message": _reason(reason)}
            for reason, count in report.parts.most_common()
        ],
    )


def _reason(reason: str) -> str:
    return say(g.language, f"server.import.{reason}", {})
