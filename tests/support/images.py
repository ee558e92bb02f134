"""Pictures for questions: uploaded, and what is left of them in a home."""

from io import BytesIO
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from PIL import Image

from chatapp.settings import Settings


def square(colour: str = "red", kind: str = "PNG", size: tuple[int, int] = (40, 30)) -> bytes:
    """Return a picture of one colour."""
    made = BytesIO()
    Image.new("RGB", size, colour).save(made, kind)
    return made.getvalue()


def send(client: FlaskClient, content: bytes, name: str = "cat.png") -> Any:
    """Upload a picture and return the response."""
    return post_form(client, ("file", content, name))


def post_form(client: FlaskClient, *files: tuple[str, bytes, str]) -> Any:
    """Post files, each a field, a content and a name."""
    disposition = b'--x\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n\r\n'
    body = b"".join(
        disposition % (field.encode(), name.encode()) + content + b"\r\n"
        for field, content, name in files
    )
    return client.post(
        "/api/images", data=body + b"--x--\r\n", content_type="multipart/form-data; boundary=x"
    )


def uploaded(client: FlaskClient, content: bytes | None = None, name: str = "cat.png") -> str:
    """Upload a picture and return its id."""
    reply = send(client, square() if content is None else content, name)
    assert reply.status_code == 201, reply.json
    return str(reply.json["id"])


def stored(settings: Settings) -> list[str]:
    """Return the names of the files of pictures, unfinished ones too."""
    return sorted(path.name for path in (settings.home / "images").rglob("*") if path.is_file())


def stored_path(settings: Settings, image_id: str) -> Path:
    return settings.home / "images" / image_id[:2] / image_id
