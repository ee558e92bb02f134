"""/api/knowledge: knowledge bases, their files, and search. uploads.py limits uploads."""

from contextlib import ExitStack
from typing import Any

from flask import g, jsonify, request, send_file
from flask_openapi3 import Tag
from pydantic import ValidationError

from chatapp.core.prompt import source_json
from chatapp.errors import ChatAppError, InvalidRequest
from chatapp.knowledge import manual
from chatapp.knowledge.ingest.originals import Incoming
from chatapp.knowledge.names import base_name, file_name
from chatapp.web.blueprint import LazyBlueprint
from chatapp.web.errors import error_json, raise_invalid_request, stored_error_json
from chatapp.web.knowledge_bodies import (
    BaseBody,
    BaseChange,
    BasePath,
    FilePath,
    NewBaseQuery,
    PageBody,
    PageQuery,
    SearchBody,
)
from chatapp.web.request import current_user
from chatapp.web.responses import (
    FileChunk,
    KnowledgeBase,
    KnowledgeFile,
    NewBaseResult,
    Page,
    Source,
    UploadResult,
)
from chatapp.web.services import services
from chatapp.web.uploads import receive

bp = LazyBlueprint(
    "knowledge",
    __name__,
    url_prefix="/api/knowledge",
    abp_tags=[Tag(name="knowledge", description="Knowledge bases and their files.")],
)


@bp.get("", responses={200: Page[KnowledgeBase]})
def list_knowledge_bases() -> Any:
    """List your knowledge bases, then those that are shared with you, then the bundled ones."""
    return jsonify(
        items=[_localized_base(base) for base in services().knowledge.bases(current_user().id)],
        next=None,
    )


@bp.post("", responses={201: KnowledgeBase})
def create_knowledge_base(body: BaseBody) -> Any:
    """Create an empty knowledge base."""
    return jsonify(
        services().knowledge.create(
            current_user().id,
            _clean_name(body.name),
            body.description.strip(),
            body.splitting,
        )
    ), 201


@bp.get("/<base_id>", responses={200: KnowledgeBase})
def get_knowledge_base(path: BasePath) -> Any:
    """Get a knowledge base."""
    return jsonify(_localized_base(services().knowledge.base(current_user().id, path.base_id)))


@bp.patch("/<base_id>", responses={200: KnowledgeBase})
def update_knowledge_base(path: BasePath, body: BaseChange) -> Any:
    """Update the name, description, splitting or sharing of a knowledge base.

    Splitting applies to files that are added or read again from then on. A name that nobody has is
    accepted like any other.
    """
    values = {
        name: value
        for name, value in body.model_dump(exclude_unset=True).items()
        if value is not None
    }
    if "name" in values:
        values["name"] = _clean_name(values["name"])
    return jsonify(services().knowledge.change(current_user().id, path.base_id, values))


@bp.post("/<base_id>/reindex", responses={202: KnowledgeBase})
def reindex_knowledge_base(path: BasePath) -> Any:
    """Recreate all vectors of a knowledge base with the current embedding model.

    Keyword search works in the meantime.
    """
    return jsonify(services().knowledge.reindex(current_user().id, path.base_id)), 202


@bp.delete("/<base_id>")
def delete_knowledge_base(path: BasePath) -> tuple[str, int]:
    """Delete a knowledge base and all its files."""
    services().knowledge.delete(current_user().id, path.base_id)
    return "", 204


@bp.post("/<base_id>/search", responses={200: Page[Source]})
def search_knowledge_base(path: BasePath, body: SearchBody) -> Any:
    """Search a knowledge base: the passages that a question would retrieve."""
    knowledge = services().knowledge
    bases = knowledge.select_bases(current_user().id, [path.base_id])
    found = knowledge.search(bases, body.query, body.k, body.filter_by_file_md5 or None)
    return jsonify(
        items=[source_json(number, passage) for number, passage in enumerate(found, 1)], next=None
    )


@bp.get("/<base_id>/files", responses={200: Page[KnowledgeFile]})
def list_knowledge_files(path: BasePath, query: PageQuery) -> Any:
    """List the files of a knowledge base, latest first."""
    rows, following = services().knowledge.files(
        current_user().id, path.base_id, query.after, query.limit
    )
    return jsonify(items=[_localized_file(row) for row in rows], next=following)


@bp.post("/<base_id>/files", responses={202: UploadResult})
def upload_knowledge_files(path: BasePath) -> Any:
    """Upload files (multipart, field `files`, may be repeated), or add a web page (JSON, `url`).

    Each item of the response is a file or an error, in the order sent. The status is 202, or that
    of the first error if no file was accepted.
    """
    services().knowledge.require_writable(current_user().id, path.base_id)
    if request.is_json:
        return _add_page(path.base_id)
    with ExitStack() as arrived:
        items, refusals = _add_files(path.base_id, _received(arrived))
    if len(refusals) == len(items) == 1:
        raise refusals[0]
    return jsonify(items=items), refusals[0].status if len(refusals) == len(items) else 202


@bp.post("/files", responses={202: NewBaseResult})
def upload_to_new_knowledge_base(query: NewBaseQuery) -> Any:
    """Upload files (multipart, field `files`) to a new knowledge base.

    It is only created if at least one file is accepted; otherwise the response is that of an
    upload to an existing one.
    """
    knowledge = services().knowledge
    name = _clean_name(query.name)
    with ExitStack() as arrived:
        files = _received(arrived)
        base = knowledge.create(current_user().id, name)
        items: list[dict[str, Any]] = []
        refusals: list[ChatAppError] = []
        try:
            items, refusals = _add_files(base["id"], files)
        finally:
            if len(refusals) == len(items):
                knowledge.delete(current_user().id, base["id"])
    if len(refusals) == len(items) == 1:
        raise refusals[0]
    if len(refusals) == len(items):
        return jsonify(items=items), refusals[0].status
    return jsonify(knowledge_base=knowledge.base(current_user().id, base["id"]), items=items), 202


@bp.get("/<base_id>/files/<file_id>", responses={200: KnowledgeFile})
def get_knowledge_file(path: FilePath) -> Any:
    """Get a file and its processing status."""
    return jsonify(
        _localized_file(services().knowledge.file(current_user().id, path.base_id, path.file_id))
    )


@bp.delete("/<base_id>/files/<file_id>")
def delete_knowledge_file(path: FilePath) -> tuple[str, int]:
    """Delete a file with its text, chunks and original."""
    services().knowledge.delete_file(current_user().id, path.base_id, path.file_id)
    return "", 204


@bp.post("/<base_id>/files/<file_id>/retry", responses={202: KnowledgeFile})
def retry_knowledge_file(path: FilePath) -> Any:
    """Process again a file that failed, or that is split otherwise than its knowledge base says.

    It cannot be searched until that is done.
    """
    return jsonify(
        _localized_file(
            services().knowledge.retry_file(current_user().id, path.base_id, path.file_id)
        )
    ), 202


@bp.post("/<base_id>/files/<file_id>/fetch", responses={202: KnowledgeFile})
def fetch_knowledge_file(path: FilePath) -> Any:
    """Fetch a web page again.

    Its content can be searched until the new one is read, and stays where that fails.
    """
    return jsonify(
        _localized_file(
            services().knowledge.web_pages.fetch_again(
                current_user().id, path.base_id, path.file_id
            )
        )
    ), 202


@bp.get("/<base_id>/files/<file_id>/content")
def download_knowledge_file(path: FilePath) -> Any:
    """Download the original file."""
    original, name = services().knowledge.content(current_user().id, path.base_id, path.file_id)
    # Never with its own media type: a document must not run as a page of this origin.
    return send_file(
        original,
        mimetype="application/octet-stream",
        as_attachment=True,
        download_name=name,
        max_age=0,
    )


@bp.get("/<base_id>/files/<file_id>/chunks", responses={200: Page[FileChunk]})
def list_knowledge_file_chunks(path: FilePath, query: PageQuery) -> Any:
    """List the chunks of a file in reading order."""
    rows, following = services().knowledge.chunks(
        current_user().id, path.base_id, path.file_id, query.after, query.limit
    )
    return jsonify(items=rows, next=following)


def _received(arrived: ExitStack) -> list[tuple[str, Incoming]]:
    """Return the names and contents of the uploaded files; raise InvalidRequest without any."""
    knowledge = services().knowledge
    files = receive(
        arrived,
        "files",
        services().settings.upload_bytes,
        knowledge.require_space,
        knowledge.originals.incoming,
    )
    if not files:
        raise InvalidRequest("files", "form_files")
    return files


def _add_files(
    base_id: str, files: list[tuple[str, Incoming]]
) -> tuple[list[dict[str, Any]], list[ChatAppError]]:
    """Add files to a base; return a file or an error for each, and the errors."""
    items: list[dict[str, Any]] = []
    refusals: list[ChatAppError] = []
    for name, content in files:
        try:
            row = services().knowledge.add_file(current_user().id, base_id, name, content)
            items.append(_localized_file(row))
        except ChatAppError as error:
            refusals.append(error)
            items.append({"name": file_name(name), "error": error_json(error)})
    return items, refusals


def _add_page(base_id: str) -> Any:
    try:
        body = PageBody.model_validate_json(request.get_data())
    except ValidationError as fault:
        raise_invalid_request(fault)
        raise
    row = services().knowledge.web_pages.add(current_user().id, base_id, body.url)
    return jsonify(items=[_localized_file(row)]), 202


def _clean_name(name: str) -> str:
    cleaned = base_name(name)
    if not cleaned:
        raise InvalidRequest("name", "blank")
    return cleaned


def _localized_base(base: dict[str, Any]) -> dict[str, Any]:
    return {**base, "name": manual.translate_name(base["name"], g.language)}


def _localized_file(row: dict[str, Any]) -> dict[str, Any]:
    shown = {**row, "error": stored_error_json(row["error"])}
    if (page := row["web_page"]) is not None:
        shown["web_page"] = {**page, "error": stored_error_json(page["error"])}
    return shown
