"""Behaviours of the model server towards pictures. Importing it registers them."""

import base64
import hashlib
from typing import Any

from tests.support.modelbehaviours import behaves, echo, says
from tests.support.modelwire import Logged, Turn

# What suppliers answer for models that cannot see, with the status.
REFUSALS: dict[str, tuple[int, Any]] = {
    "deepseek": (
        422,
        "Failed to deserialize the JSON body into the target type: messages[0]: unknown variant "
        "`image_url`, expected `text` at line 1 column 99",
    ),
    "openrouter": (404, {"message": "No endpoints found that support image input", "code": 404}),
    "llamacpp": (
        500,
        {
            "code": 500,
            "message": "image input is not supported - hint: if this is unexpected, you may need "
            "to provide the mmproj",
            "type": "server_error",
        },
    ),
}


def pictures(request: Logged) -> list[list[bytes]]:
    """Return the pictures of each message of a request."""
    found = []
    for message in request.body["messages"]:
        content = message["content"]
        parts = content if isinstance(content, list) else []
        urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
        found.append([base64.b64decode(url.partition(";base64,")[2]) for url in urls])
    return found


def name_of(content: bytes) -> str:
    """Return a short name of a picture's content."""
    return hashlib.sha256(content).hexdigest()[:12]


@behaves("sees")
def sees(turn: Turn) -> None:
    """Name the pictures of the last message."""
    names = [name_of(content) for content in pictures(turn.request)[-1]]
    says(turn, ["I see ", " and ".join(names) or "nothing", "."])


@behaves("blind-(deepseek|openrouter|llamacpp)(?:-.*)?")
def blind(turn: Turn, supplier: str) -> None:
    """Refuse pictures as a supplier does, else echo."""
    if any(pictures(turn.request)):
        status, error = REFUSALS[supplier]
        turn.wire.json(status, error if isinstance(error, str) else {"error": error})
    else:
        echo(turn)
