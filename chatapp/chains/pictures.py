"""Pictures in the messages of a request: as data URLs, and removed for models that do not see."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from chatapp.core.pictures import Picture
from chatapp.core.prompt import LEFT_OUT_PICTURES

IMAGE_URL = "image_url"
Message = dict[str, Any]


def text_part(text: str) -> Message:
    """Return a text as a part of a message."""
    return {"type": "text", "text": text}


def picture_part(picture: Picture) -> Message:
    """Return a picture as every supplier takes it; for a missing file, a note."""
    try:
        with open(picture.path, "rb") as file:
            encoded = base64.b64encode(file.read()).decode("ascii")
    except OSError:
        return text_part(LEFT_OUT_PICTURES)
    url = f"data:{picture.media_type};base64,{encoded}"
    return {"type": IMAGE_URL, IMAGE_URL: {"url": url}}


def without_earlier_pictures(messages: Any) -> list[Any] | None:
    """Return messages with notes instead of their pictures; None if that removes nothing, or if
    the last question has pictures of its own."""
    if not isinstance(messages, list):
        return None
    places = [place for place, message in enumerate(messages) if _has_pictures(message)]
    asked = [place for place, message in enumerate(messages) if _is_question(message)]
    if not places or places[-1] == asked[-1]:
        return None
    return [_without(message) if _has_pictures(message) else message for message in messages]


def _is_question(message: Any) -> bool:
    return isinstance(message, Mapping) and message.get("role") == "user"


def _has_pictures(message: Any) -> bool:
    return _is_question(message) and any(map(_is_picture, _parts(message)))


def _parts(message: Mapping[str, Any]) -> Sequence[Any]:
    content = message.get("content")
    return content if isinstance(content, list) else ()


def _is_picture(part: Any) -> bool:
    return isinstance(part, Mapping) and part.get("type") == IMAGE_URL


def _without(message: Message) -> Message:
    texts = [str(part.get("text", "")) for part in _parts(message) if not _is_picture(part)]
    return {**message, "content": "\n\n".join([*texts, LEFT_OUT_PICTURES])}
