"""Pictures that a question holds itself, as data URLs: decoded and stored like uploads."""

import binascii
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from chatapp.errors import ChatAppError, InvalidRequest, TooLarge
from chatapp.settings import MB
from chatapp.storage import threads
from chatapp.web.question import DATA_URL
from chatapp.web.request import current_user
from chatapp.web.services import services

MOST_COMMAS = 200_000  # more than the longest question and system prompt have
_BASE64 = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)


def most_body_bytes(without: int) -> int:
    """Return the limit of a body with data URLs; base64 takes four bytes for three."""
    return without + services().settings.data_url_bytes * 4 // 3


def require_few_values(body: bytes, without: int) -> None:
    """Raise TooLarge for a body that is not large because of its pictures.

    Parsing 12 MB of small values takes 0.3 s, in which all answers would wait.
    """
    if len(body) > without and body.count(b",") > MOST_COMMAS:
        raise TooLarge(limit=f"{without // MB} MB")


@contextmanager
def data_urls_stored(images: Sequence[str]) -> Iterator[list[str]]:
    """Store the data URLs among pictures and give all as ids; delete them where the block fails.

    Raises InvalidRequest, TooLarge, and what an upload raises.
    """
    stored: list[str] = []
    try:
        _require_limit(images)
        ids = [_stored(each, stored) if each.startswith(DATA_URL) else each for each in images]
        yield ids
    except BaseException:
        for image_id in stored:
            with suppress(ChatAppError):
                services().images.delete(current_user().id, image_id)
        raise


def _require_limit(images: Sequence[str]) -> None:
    limit = services().settings.data_url_bytes
    size = sum(len(each) * 3 // 4 for each in images if each.startswith(DATA_URL))
    if size and not limit:
        raise InvalidRequest("images", "data_urls_off")
    if size > limit:
        raise TooLarge("data_urls", limit=f"{limit // MB} MB")


def _stored(url: str, stored: list[str]) -> str:
    images, user_id = services().images, current_user().id
    head = _BASE64.match(url)
    if head is None:
        raise InvalidRequest("images", "image")
    try:
        content = threads.run(lambda: binascii.a2b_base64(url[head.end() :]))
    except ValueError as fault:
        raise InvalidRequest("images", "image") from fault
    images.files.require_space(len(content))
    incoming = images.files.incoming()
    incoming.write(content)
    image_id = str(images.add(user_id, "", incoming)["id"])
    stored.append(image_id)
    return image_id
