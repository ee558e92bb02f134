"""/api/images: pictures for questions. uploads.py limits uploads."""

from contextlib import ExitStack
from http import HTTPStatus
from typing import Any

from flask import Response, jsonify, request
from flask_openapi3 import Tag

from chatapp.errors import InvalidRequest
from chatapp.web.blueprint import LazyBlueprint
from chatapp.web.fields import Input
from chatapp.web.image_responses import Image
from chatapp.web.request import current_user
from chatapp.web.services import services
from chatapp.web.uploads import receive

bp = LazyBlueprint(
    "images",
    __name__,
    url_prefix="/api/images",
    abp_tags=[Tag(name="images", description="Pictures for questions to models that see.")],
)


class ImagePath(Input):
    """The id of a picture."""

    image_id: str


@bp.post("", responses={201: Image})
def upload_image() -> Any:
    """Upload a picture for a question (multipart, field `file`): PNG, JPEG, WebP or GIF.

    Its kind is found by its content. It is stored without metadata, upright, of an animation the
    first frame, and at most 1,568 pixels wide and high. A picture that no question has used is
    deleted after a day.
    """
    images = services().images
    with ExitStack() as arrived:
        files = receive(
            arrived,
            "file",
            services().settings.image_bytes,
            images.files.require_space,
            images.files.incoming,
        )
        if len(files) != 1:
            raise InvalidRequest("file", "one_file")
        [(name, content)] = files
        return jsonify(images.add(current_user().id, name, content)), 201


@bp.get("/<image_id>")
def get_image(path: ImagePath) -> Any:
    """Get a picture."""
    images, user_id = services().images, current_user().id
    if request.if_none_match.contains_weak(path.image_id):
        images.read(user_id, path.image_id)
        response = Response(status=HTTPStatus.NOT_MODIFIED)
    else:
        media_type, content = images.content(user_id, path.image_id)
        response = Response(content, content_type=media_type)
        response.headers.set("Content-Disposition", "inline")
    response.set_etag(path.image_id)  # it never changes
    # Kept, but asked for each time: it may be deleted, or another user be signed in.
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


@bp.delete("/<image_id>")
def delete_image(path: ImagePath) -> tuple[str, int]:
    """Delete a picture that no message uses. Others are deleted with their messages."""
    services().images.delete(current_user().id, path.image_id)
    return "", 204
