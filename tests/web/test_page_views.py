"""The pages of documents over HTTP: images, boxes, access, limits, deletion."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import update

from chatapp.identity.person import Person
from chatapp.knowledge.pageview import sandboxed, views
from chatapp.settings import Settings
from chatapp.storage.models import File
from chatapp.storage.text_models import RecognisedPage
from chatapp.web.services import Services
from tests.support import documents
from tests.support.page_documents import endless_pdf, lines_pdf, photo
from tests.support.shelf import add_user
from tests.support.uploads import left, upload, work

SENTENCE = "The kiln of the workshop stays at 1280 degrees."


class Stored:
    """A file of a base, as a client sees it."""

    def __init__(self, client: FlaskClient, services: Services, name: str, content: bytes) -> None:
        self._client = client
        self.content = content
        base = client.post("/api/knowledge", json={"name": name}).json["id"]
        file = upload(client, base, (name, content)).json["items"][0]
        work(services)
        self.base = f"/api/knowledge/{base}"
        self.path = f"{self.base}/files/{file['id']}"
        self.chunks = client.get(f"{self.path}/chunks").json["items"]

    def page(self, number: int, **headers: str) -> Any:
        return self._client.get(f"{self.path}/pages/{number}", headers=headers)

    def marks(self, passage: str) -> Any:
        chunk = next(one for one in self.chunks if passage in one["text"])
        start = chunk["start"] + chunk["text"].index(passage)
        return self._client.get(
            f"{self.path}/marks", query_string={"start": start, "end": start + len(passage)}
        )


@pytest.fixture
def kiln(client: FlaskClient, services: Services) -> Stored:
    pages = lines_pdf([(100, "First page.")], [(421, SENTENCE)])
    return Stored(client, services, "kiln.pdf", pages)


def replace_original(services: Services, content: bytes) -> None:
    """Let the only original have another content than the one that was read."""
    (original,) = left(services.settings)
    original.write_bytes(content)


def ended(*_: Any) -> bytes:
    raise sandboxed.RendererEnded(-9)


def cached(settings: Settings) -> list[Path]:
    folder = settings.home / "pages"
    return [path for path in folder.glob("*") if not path.name.startswith("slot-")]


def test_a_page_is_an_image_that_caches_ask_for_again(kiln: Stored) -> None:
    reply = kiln.page(2)
    assert reply.status_code == 200 and reply.content_type in ("image/png", "image/jpeg")
    assert Image.open(BytesIO(reply.data)).size[1] > 1000
    assert reply.headers["Cache-Control"] == "private, no-cache"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    again = kiln.page(2, **{"If-None-Match": reply.headers["ETag"]})
    assert again.status_code == 304 and again.data == b""
    assert kiln.page(1).headers["ETag"] != reply.headers["ETag"]
    assert kiln.page(1, **{"If-None-Match": reply.headers["ETag"]}).status_code == 200


def test_the_passage_has_boxes_on_its_page(kiln: Stored) -> None:
    marks = kiln.marks(SENTENCE).json
    assert marks["count"] == 2
    (page,) = marks["pages"]
    assert page["page"] == 2 and len(page["boxes"]) == 1
    left, top, width, height = page["boxes"][0]
    assert 0.1 < left < 0.15 and 0.45 < top < 0.5 and 0.3 < width < 0.6 and height < 0.03
    image = Image.open(BytesIO(kiln.page(2).data))
    assert image.size == (page["width"], page["height"])


def test_a_passage_over_two_pages_has_boxes_on_both(
    client: FlaskClient, services: Services
) -> None:
    lines = [(780.0, "The keeper is paid in peat,"), (796.0, "in herring and")]
    stored = Stored(client, services, "pay.pdf", lines_pdf(lines, [(60, "in lamp oil.")]))
    marks = stored.marks(stored.chunks[0]["text"]).json
    assert [(page["page"], len(page["boxes"])) for page in marks["pages"]] == [(1, 2), (2, 1)]


def test_a_file_that_is_not_shown_by_pages_has_none(
    client: FlaskClient, services: Services
) -> None:
    stored = Stored(client, services, "leave.txt", b"Employees get 27 days of leave.")
    assert stored.marks("27 days").json == {"count": 0, "pages": []}
    assert stored.page(1).status_code == 404
    slides = Stored(client, services, "deck.pptx", documents.slides())
    assert slides.marks(slides.chunks[0]["text"]).json == {"count": 0, "pages": []}
    assert slides.page(1).status_code == 404


def test_a_picture_is_shown_upright(client: FlaskClient, services: Services, kiln: Stored) -> None:
    replace_original(services, photo(orientation=6))
    picture = update(File).values(media_type="image/jpeg", pages=None)
    services.database.write(lambda t: t.execute(picture) and None)
    reply = kiln.page(1)
    assert Image.open(BytesIO(reply.data)).size == (200, 300)
    assert kiln.page(2).status_code == 404


def test_a_recognised_page_is_upright_and_marked_by_its_lines(
    services: Services, kiln: Stored
) -> None:
    sideways = RecognisedPage(
        file_id=kiln.path.rpartition("/")[2],
        page=2,
        state="done",
        turned=90,
        text=SENTENCE,
        lines=[[0, len(SENTENCE), 0.1, 0.2, 0.5, 0.25]],
    )
    services.database.write(lambda t: t.add(sideways))
    (page,) = kiln.marks(SENTENCE).json["pages"]
    assert page["boxes"] == [pytest.approx([0.1, 0.2, 0.4, 0.05])]
    width, height = Image.open(BytesIO(kiln.page(2).data)).size
    assert (width, height) == (page["width"], page["height"]) and width > height
    upright = Image.open(BytesIO(kiln.page(1).data))
    assert upright.width < upright.height


@pytest.mark.parametrize("number", [0, 3, 999_999, 10**9, -1, "x"])
def test_a_page_that_is_not_there_is_not_found(kiln: Stored, number: Any) -> None:
    assert kiln.page(number).status_code in (404, 422)


@pytest.mark.parametrize("query", ["start=-1&end=5", "start=a", "start=0&end=99999999999"])
def test_a_range_that_is_none_is_refused(client: FlaskClient, kiln: Stored, query: str) -> None:
    assert client.get(f"{kiln.path}/marks?{query}").status_code == 422


def test_a_range_beyond_the_text_has_no_pages(client: FlaskClient, kiln: Stored) -> None:
    for query in ("", "?start=5&end=5", "?start=9&end=5", "?start=90000&end=90001"):
        assert client.get(f"{kiln.path}/marks{query}").json == {"count": 2, "pages": []}


def test_another_users_pages_are_not_found(
    client: FlaskClient, services: Services, kiln: Stored, app: Any
) -> None:
    tag = kiln.page(1).headers["ETag"]
    other = Person(add_user(services.database, "other"), "other", "user", False)
    stranger = app.test_client()
    token = services.accounts.tokens.create(other, "t")["token"]
    stranger.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    for path in (f"{kiln.path}/pages/1", f"{kiln.path}/marks?start=0&end=9"):
        refused = stranger.get(path, headers={"If-None-Match": tag})
        assert refused.status_code == 404 and refused.json["error"]["code"] == "not_found"


@pytest.mark.parametrize("whole_base", [False, True])
def test_pages_are_deleted_with_their_file(
    client: FlaskClient, settings: Settings, kiln: Stored, whole_base: bool
) -> None:
    kiln.page(1), kiln.page(2)
    assert len(cached(settings)) == 2
    assert client.delete(kiln.base if whole_base else kiln.path).status_code == 204
    assert cached(settings) == []
    assert kiln.page(1).status_code == 404


def test_pages_of_bytes_that_another_file_has_too_are_kept(
    client: FlaskClient, services: Services, settings: Settings, kiln: Stored
) -> None:
    kiln.page(1)
    same = Stored(client, services, "same.pdf", kiln.content)
    client.delete(kiln.path)
    assert len(cached(settings)) == 1
    client.delete(same.path)
    assert cached(settings) == []


def test_a_page_that_ends_the_renderer_is_answered_in_words_and_not_tried_again(
    services: Services, kiln: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandboxed, "SECONDS", 2)
    replace_original(services, endless_pdf())
    refused = kiln.page(1)
    assert refused.status_code == 422 and refused.json["error"]["code"] == "unreadable_file"
    assert "text" in refused.json["error"]["message"]
    monkeypatch.setattr(views, "render_limited", ended)
    assert kiln.page(1).status_code == 422
    assert kiln.marks("First page.").status_code == 422
    assert kiln.page(2).status_code == 503, "this test's renderer"


def test_a_renderer_that_was_ended_from_outside_is_tried_again(
    kiln: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(views, "render_limited", ended)
        busy = kiln.page(1)
    assert busy.status_code == 503 and busy.json["error"]["retryable"]
    assert int(busy.headers["Retry-After"]) > 0
    assert kiln.page(1).status_code == 200


def test_too_many_waiting_pages_are_refused_with_a_time(
    services: Services, kiln: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MAX_WAITING", 0)
    busy = kiln.page(1)
    assert busy.status_code == 503 and int(busy.headers["Retry-After"]) > 0
    assert busy.json["error"]["code"] == "knowledge_unavailable"


def test_a_damaged_stored_page_is_rendered_again(settings: Settings, kiln: Stored) -> None:
    whole = kiln.page(1).data
    (stored,) = cached(settings)
    for damage in (b"", b"{}", b"[1]\n", b"\xff\xfe\n", stored.read_bytes()[:-10]):
        stored.write_bytes(damage)
        assert kiln.page(1).data == whole


def test_a_missing_original_is_not_found(services: Services, kiln: Stored) -> None:
    for path in left(services.settings):
        path.unlink()
    assert kiln.page(1).status_code == 404
