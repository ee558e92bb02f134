"""/api/knowledge: bases, their files, and the search over them."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from flask import g, jsonify, request, send_file
from flask_openapi3 import APIBlueprint, Tag
from pydantic import Field
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from chatapp.core.prompt import source_json
from chatapp.errors import ChatAppError, InvalidRequest, TooLarge
from chatapp.knowledge import manual
from chatapp.knowledge.ingest.originals import Incoming
from chatapp.settings import MB
from chatapp.storage.paging import LONGEST_CURSOR
from chatapp.web.question import Md5s
from chatapp.web.refusals import error_json, stored_error_json
from chatapp.web.request import Input, person, services
from chatapp.web.shapes import (
    ChunkShape,
    FileShape,
    KnowledgeBaseShape,
    Page,
    SourceShape,
    UploadedShape,
)

bp = APIBlueprint(
    "knowledge",
    __name__,
    url_prefix="/api/knowledge",
    abp_tags=[Tag(name="knowledge", description="Documents.")],
)

FORM_BYTES = MB  # what a form may hold beside its files
MOST_FILES = 1000  # in one request
DRAINED = 4  # times the limit are read and thrown away, so that the sender gets to read why
PIECE_BYTES = 256 * 1024


class BasePath(Input):
    """A base's id."""

    base_id: str


class FilePath(BasePath):
    """A file of a base."""

    file_id: str


class BaseBody(Input):
    """What a base is called."""

    name: str = Field(min_length=1, max_length=200)
    description: str = Field("", max_length=10_000)


class BaseChange(Input):
    """The same; what is left out stays."""

    name: str | None = Field(None, min_length=1, max_length=200)
    description: str | None = Field(None, max_length=10_000)


class PageQuery(Input):
    """Which page of a list."""

    after: str | None = Field(None, max_length=LONGEST_CURSOR)
    limit: int = Field(200, ge=1, le=1000)


class SearchBody(Input):
    """What to look for; in some files only where their md5s are named."""

    query: str = Field(min_length=1, max_length=100_000)
    k: int = Field(5, ge=1, le=50)
    filter_by_file_md5: Md5s | None = None


@bp.get("", responses={200: Page[KnowledgeBaseShape]})
def list_bases() -> Any:
    """List your knowledge bases, then the bundled ones."""
    return jsonify(
        items=[_named(base) for base in services().knowledge.bases(person().id)], next=None
    )


@bp.post("", responses={201: KnowledgeBaseShape})
def create_base(body: BaseBody) -> Any:
    """Make an empty knowledge base."""
    return jsonify(
        services().knowledge.create(person().id, _name(body.name), body.description.strip())
    ), 201


@bp.get("/<base_id>", responses={200: KnowledgeBaseShape})
def read_base(path: BasePath) -> Any:
    """Read one knowledge base."""
    return jsonify(_named(services().knowledge.base(person().id, path.base_id)))


@bp.patch("/<base_id>", responses={200: KnowledgeBaseShape})
def change_base(path: BasePath, body: BaseChange) -> Any:
    """Rename or describe a knowledge base."""
    values = {
        name: value
        for name, value in body.model_dump(exclude_unset=True).items()
        if value is not None
    }
    if "name" in values:
        values["name"] = _name(values["name"])
    return jsonify(services().knowledge.change(person().id, path.base_id, values))


@bp.post("/<base_id>/reindex", responses={202: KnowledgeBaseShape})
def reindex_base(path: BasePath) -> Any:
    """Make a base's vectors anew with the embedding model that is set up; its words are found all the while."""
    return jsonify(services().knowledge.reindex(person().id, path.base_id)), 202


@bp.delete("/<base_id>")
def delete_base(path: BasePath) -> tuple[str, int]:
    """Delete a knowledge base with all its files."""
    services().knowledge.delete(person().id, path.base_id)
    return "", 204


@bp.post("/<base_id>/search", responses={200: Page[SourceShape]})
def search_base(path: BasePath, body: SearchBody) -> Any:
    """Show what retrieval returns for a question."""
    knowledge = services().knowledge
    bases = knowledge.select_bases(person().id, [path.base_id])
    found = knowledge.search(bases, body.query, body.k, body.filter_by_file_md5 or None)
    return jsonify(
        items=[source_json(number, passage) for number, passage in enumerate(found, 1)], next=None
    )


@bp.get("/<base_id>/files", responses={200: Page[FileShape]})
def list_files(path: BasePath, query: PageQuery) -> Any:
    """List a base's files, latest first."""
    rows, following = services().knowledge.files(
        person().id, path.base_id, query.after, query.limit
    )
    return jsonify(items=[_shown(row) for row in rows], next=following)


@bp.post("/<base_id>/files", responses={202: UploadedShape})
def upload_files(path: BasePath) -> Any:
    """Upload files (multipart, field `files`, repeated): each becomes a file or says why not, in the order sent.

    Answers 202; where not one was taken, the status of the first refusal.
    """
    knowledge = services().knowledge
    knowledge.require_owned(person().id, path.base_id)
    items: list[dict[str, Any]] = []
    refusals: list[ChatAppError] = []
    with ExitStack() as arrived:
        files = _receive(arrived, knowledge.originals.incoming)
        for file in files:
            name = file.filename or ""
            try:
                items.append(
                    _shown(knowledge.add_file(person().id, path.base_id, name, file.stream))
                )
            except ChatAppError as error:
                refusals.append(error)
                items.append({"name": name, "error": error_json(error)})
    if not files:
        raise InvalidRequest("files", "form_files")
    if len(refusals) == len(files) == 1:
        raise refusals[0]
    return jsonify(items=items), refusals[0].status if len(refusals) == len(files) else 202


@bp.get("/<base_id>/files/<file_id>", responses={200: FileShape})
def read_file(path: FilePath) -> Any:
    """Read one file's state."""
    return jsonify(_shown(services().knowledge.file(person().id, path.base_id, path.file_id)))


@bp.delete("/<base_id>/files/<file_id>")
def delete_file(path: FilePath) -> tuple[str, int]:
    """Delete a file with its text, chunks and original."""
    services().knowledge.delete_file(person().id, path.base_id, path.file_id)
    return "", 204


@bp.post("/<base_id>/files/<file_id>/retry", responses={202: FileShape})
def retry_file(path: FilePath) -> Any:
    """Read a file again that failed."""
    return jsonify(
        _shown(services().knowledge.retry_file(person().id, path.base_id, path.file_id))
    ), 202


@bp.get("/<base_id>/files/<file_id>/content")
def read_content(path: FilePath) -> Any:
    """Download the original."""
    original, name = services().knowledge.content(person().id, path.base_id, path.file_id)
    # Never as what it says it is: a document must not become a page of ours.
    return send_file(
        original,
        mimetype="application/octet-stream",
        as_attachment=True,
        download_name=name,
        max_age=0,
    )


@bp.get("/<base_id>/files/<file_id>/chunks", responses={200: Page[ChunkShape]})
def list_chunks(path: FilePath, query: PageQuery) -> Any:
    """List a file's chunks in the order of reading."""
    rows, following = services().knowledge.chunks(
        person().id, path.base_id, path.file_id, query.after, query.limit
    )
    return jsonify(items=rows, next=following)


def _receive(arrived: ExitStack, begin: Callable[[], Incoming]) -> list[FileStorage]:
    """Take the files of the request, written while they come in; what is not kept by then goes when `arrived` closes.

    Raises TooLarge before anything is written, and InvalidRequest for a form that was cut or is none.
    """
    limit = services().settings.upload_bytes + FORM_BYTES
    request.max_content_length = limit
    if (request.content_length or 0) > limit:
        _drain(limit)
        raise TooLarge(limit=f"{services().settings.upload_bytes // MB} MB")

    def start(*_: Any, **__: Any) -> Any:
        incoming = begin()
        arrived.callback(incoming.discard)
        return incoming

    parser = FormDataParser(
        start, max_form_memory_size=FORM_BYTES, max_form_parts=MOST_FILES, silent=False
    )
    try:
        form = parser.parse(
            request.stream, request.mimetype, request.content_length, request.mimetype_params
        )
    except RequestEntityTooLarge as fault:
        raise TooLarge(limit=f"{services().settings.upload_bytes // MB} MB") from fault
    except (ValueError, ClientDisconnected) as fault:
        raise InvalidRequest("files", "unreadable") from fault
    return form[2].getlist("files")


def _drain(limit: int) -> None:
    """Read a body that is refused to its end: a sender that is cut off in the middle reports a broken line, not the reason."""
    left = min(request.content_length or 0, DRAINED * limit)
    source = request.environ["wsgi.input"]
    while left > 0 and (piece := source.read(min(left, PIECE_BYTES))):
        left -= len(piece)
        time.sleep(0)  # lets others run


def _name(name: str) -> str:
    name = " ".join(name.split())
    if not name:
        raise InvalidRequest("name", "blank")
    return name


def _named(base: dict[str, Any]) -> dict[str, Any]:
    return {**base, "name": manual.translate_name(base["name"], g.language)}


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "error": stored_error_json(row["error"])}
