"""/api/knowledge/…/pages and /marks: a document's pages as they look, and a passage on them."""

from http import HTTPStatus
from typing import Any

from flask import Response, jsonify, request
from flask_openapi3 import Tag
from pydantic import BaseModel, Field

from chatapp.web.blueprint import LazyBlueprint
from chatapp.web.fields import Input
from chatapp.web.knowledge_bodies import FilePath
from chatapp.web.request import current_user
from chatapp.web.services import services

bp = LazyBlueprint(
    "page_views",
    __name__,
    url_prefix="/api/knowledge/<base_id>/files/<file_id>",
    abp_tags=[Tag(name="knowledge", description="Knowledge bases and their files.")],
)


class PagePath(FilePath):
    """The ids of a knowledge base and one of its files, and a page, counted from 1."""

    page: int = Field(ge=1, le=1_000_000)


class PassageQuery(Input):
    """A range of the document's text, as passages and chunks have it."""

    start: int = Field(0, ge=0, le=1_000_000_000)
    end: int = Field(0, ge=0, le=1_000_000_000)


class MarkedPage(BaseModel):
    """A page with the part of a passage that is on it."""

    page: int = Field(description="counted from 1")
    width: int = Field(description="pixels of its image")
    height: int
    boxes: list[list[float]] = Field(
        description="left, top, width and height of each line or part of one, as fractions of the "
        "image; empty where the passage was not found on the page"
    )


class PassageMarks(BaseModel):
    """Where a passage is on the pages of its file."""

    count: int = Field(description="pages of the file that can be shown; 0 if it has none")
    pages: list[MarkedPage] = Field(description="at most 4")


@bp.get("/pages/<page>")
def get_knowledge_file_page(path: PagePath) -> Any:
    """Get the image of a page of a PDF or picture."""
    views = services().page_views
    page = views.page(current_user().id, path.base_id, path.file_id, path.page)
    if request.if_none_match.contains_weak(page.tag):
        response = Response(status=HTTPStatus.NOT_MODIFIED)
    else:
        image = views.image(page)
        response = Response(image.image, content_type=image.media_type)
    response.set_etag(page.tag)
    # Kept, but asked for each time: the file may be deleted, or another user be signed in.
    response.headers["Cache-Control"] = "private, no-cache"
    return response


@bp.get("/marks", responses={200: PassageMarks})
def get_knowledge_file_marks(path: FilePath, query: PassageQuery) -> Any:
    """Get where a passage is on the pages of its file.

    Without a range, only the number of pages that can be shown.
    """
    return jsonify(
        services().page_views.marks(
            current_user().id, path.base_id, path.file_id, query.start, query.end
        )
    )
