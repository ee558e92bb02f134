"""/api/images over HTTP: what is accepted, what is kept of it, who may see it, when it goes."""

import os
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image, PngImagePlugin
from sqlalchemy import update

from chatapp.errors import DiskFull
from chatapp.identity.person import Person
from chatapp.knowledge import images as image_files
from chatapp.knowledge.images import ImageFiles
from chatapp.settings import Settings
from chatapp.storage.image_models import Image as Row
from chatapp.storage.models import now
from chatapp.web.services import Services
from tests.support.images import post_form, send, square, stored, stored_path, uploaded
from tests.support.page_documents import frames, huge_png, photo
from tests.support.shelf import add_user

SECRET = b"52.5200 N 13.4050 E"


def shown(client: FlaskClient, image_id: str) -> Image.Image:
    reply = client.get(f"/api/images/{image_id}")
    assert reply.status_code == 200
    return Image.open(BytesIO(reply.data))


def refused(reply: Any) -> tuple[int, str]:
    return reply.status_code, reply.json["error"]["code"]


def with_metadata(kind: str) -> bytes:
    image = Image.new("RGB", (60, 40), "green")
    made = BytesIO()
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()  # ImageDescription
    exif.get_ifd(0x8825)[0x0012] = SECRET.decode()  # of the GPS
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", SECRET.decode())
    options: dict[str, Any] = {
        "PNG": {"pnginfo": text, "exif": exif},
        "JPEG": {"exif": exif, "comment": SECRET},
        "WEBP": {"exif": exif, "xmp": SECRET},
        "GIF": {"comment": SECRET},
    }[kind]
    image.save(made, kind, **options)
    return made.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_picture_is_stored_without_what_its_file_says_about_it(
    client: FlaskClient, settings: Settings, kind: str
) -> None:
    content = with_metadata(kind)
    assert SECRET in content
    reply = send(client, content, "holiday.txt")
    assert reply.status_code == 201
    image = reply.json
    assert (image["name"], image["width"], image["height"]) == ("holiday.txt", 60, 40)
    assert image["media_type"] in ("image/png", "image/jpeg")
    [name] = stored(settings)
    kept = stored_path(settings, name).read_bytes()
    assert name == image["id"] and len(kept) == image["size"]
    assert SECRET not in kept and not Image.open(BytesIO(kept)).getexif()
    red, green, blue = shown(client, name).convert("RGB").getpixel((5, 5))  # type: ignore[misc]
    assert green > 90 and red < 40 and blue < 40


def test_a_photo_is_turned_upright(client: FlaskClient) -> None:
    found = shown(client, uploaded(client, photo(orientation=6)))
    assert found.size == (200, 300), "its sides are exchanged"
    assert found.convert("RGB").getpixel((190, 150))[0] > 200, "red is to the right"  # type: ignore[index]


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_the_first_frame_of_an_animation_is_kept(client: FlaskClient, kind: str) -> None:
    found = shown(client, uploaded(client, frames(kind)))
    assert getattr(found, "n_frames", 1) == 1
    assert found.convert("RGB").getpixel((9, 9))[0] > 200, "red"  # type: ignore[index]


def test_a_large_picture_becomes_smaller(client: FlaskClient) -> None:
    reply = send(client, square(size=(4000, 1000)))
    assert (reply.json["width"], reply.json["height"]) == (1568, 392)


def test_the_content_decides_and_not_the_name(client: FlaskClient, settings: Settings) -> None:
    for content in (b"GIF?", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.4", b"BM" * 50):
        assert refused(send(client, content, "cat.png")) == (415, "unsupported_file")
    for content in (square()[:60], b"\x89PNG\r\n\x1a\n" + b"x" * 99, b"\xff\xd8\xff" + b"y" * 99):
        assert refused(send(client, content)) == (422, "unreadable_file")
    assert refused(send(client, b"")) == (422, "unreadable_file")
    assert stored(settings) == []


def test_too_many_pixels_are_refused_unseen(client: FlaskClient, settings: Settings) -> None:
    reply = send(client, huge_png())
    assert refused(reply) == (413, "too_large") and "100 million" in reply.json["error"]["message"]
    assert stored(settings) == []


@pytest.mark.parametrize("size", [400_000, 3_000_000])
def test_too_many_bytes_are_refused(size: int, client: FlaskClient, settings: Settings) -> None:
    object.__setattr__(settings, "image_bytes", 300_000)
    assert refused(send(client, square() + bytes(size))) == (413, "too_large")
    assert stored(settings) == []


def test_one_file_is_sent_as_a_form(client: FlaskClient) -> None:
    file = "file", square(), "a.png"
    for reply in (
        post_form(client, file, file),
        post_form(client, ("files", square(), "a.png")),
        client.post("/api/images", json={}),
    ):
        assert (
            refused(reply) == (422, "invalid_request") and "file" in reply.json["error"]["fields"]
        )


def test_a_picture_has_safe_headers_and_is_asked_for_each_time(client: FlaskClient) -> None:
    path = f"/api/images/{uploaded(client)}"
    reply = client.get(path)
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Content-Disposition"] == "inline"
    assert reply.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert reply.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert reply.headers["Cache-Control"] == "private, no-cache"
    again = client.get(path, headers={"If-None-Match": reply.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_a_picture_is_its_owners_alone(app: Flask, client: FlaskClient, services: Services) -> None:
    image_id = uploaded(client)
    other = Person(add_user(services.database, "other"), "other", "user", False)
    stranger = app.test_client()
    token = services.accounts.tokens.create(other, "t")["token"]
    stranger.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    tag = client.get(f"/api/images/{image_id}").headers["ETag"]
    for reply in (
        stranger.get(f"/api/images/{image_id}"),
        stranger.get(f"/api/images/{image_id}", headers={"If-None-Match": tag}),
        stranger.delete(f"/api/images/{image_id}"),
    ):
        assert refused(reply) == (404, "not_found")
    assert client.get(f"/api/images/{image_id}").status_code == 200


def test_an_unused_picture_can_be_deleted(client: FlaskClient, settings: Settings) -> None:
    image_id = uploaded(client)
    assert client.delete(f"/api/images/{image_id}").status_code == 204
    assert stored(settings) == []
    assert refused(client.get(f"/api/images/{image_id}")) == (404, "not_found")
    assert refused(client.delete(f"/api/images/{image_id}")) == (404, "not_found")


def test_a_picture_that_was_never_used_is_deleted_with_all_data(
    client: FlaskClient, settings: Settings
) -> None:
    image_id = uploaded(client)
    assert client.delete("/api/auth/me/data").status_code == 204
    assert client.get(f"/api/images/{image_id}").status_code == 404
    assert stored(settings) == []


def test_a_picture_that_is_never_used_is_deleted_after_a_day(
    client: FlaskClient, services: Services, settings: Settings
) -> None:
    old, new = uploaded(client), uploaded(client)
    before = now() - timedelta(hours=25)
    services.database.write(
        lambda t: t.execute(update(Row).where(Row.id == old).values(created_at=before)) and None
    )
    services.images.sweep()
    assert stored(settings) == [new]
    assert client.get(f"/api/images/{old}").status_code == 404


def test_files_without_a_row_are_deleted(
    client: FlaskClient, services: Services, settings: Settings
) -> None:
    kept, lost = uploaded(client), uploaded(client)
    services.database.write(lambda t: t.delete(t.get_one(Row, lost)))
    (settings.home / "images" / "incoming-1").write_bytes(b"cut off")
    services.images.sweep()
    assert len(stored(settings)) == 3, "they may be new"
    for path in (settings.home / "images").rglob("*"):
        if path.is_file():
            os.utime(path, (1, 1))
    services.images.sweep()
    assert stored(settings) == [kept]


def test_a_full_disk_is_said_before_anything_is_written(
    client: FlaskClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise DiskFull

    with monkeypatch.context() as patched:
        patched.setattr(ImageFiles, "require_space", full)
        assert refused(send(client, square())) == (507, "disk_full")
    with monkeypatch.context() as patched:
        patched.setattr(ImageFiles, "write", full)
        assert refused(send(client, square())) == (507, "disk_full")
    assert stored(settings) == []


def test_too_many_waiting_pictures_are_refused_with_a_time(
    client: FlaskClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "MAX_WAITING", 0)
    busy = send(client, square())
    assert busy.status_code == 503 and int(busy.headers["Retry-After"]) > 0
    assert busy.json["error"]["retryable"] and stored(settings) == []
