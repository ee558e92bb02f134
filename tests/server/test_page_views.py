"""Pages of documents through real web workers: rendered once for all, and never in their way."""

import hashlib
import os
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.page_documents import endless_pdf, lines_pdf
from tests.support.pictures import needs_models, page, saved, scan
from tests.support.service import GUNICORN, Reply, Service, wait_for

pytestmark = pytest.mark.server
PAGES = 12


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The product with two web workers."""
    home = tmp_path_factory.mktemp("pages-home")
    with Service(home, workers=2, command=GUNICORN) as running:
        wait_for(lambda: len(running.workers()) == 2, what="two workers")
        yield running


@pytest.fixture
def document(two: Service, tmp_path: Path) -> Iterator[str]:
    """The path of a PDF of twelve pages."""
    file = tmp_path / "kiln.pdf"
    file.write_bytes(lines_pdf(*[[(100, f"Kiln {page} is hot.")] for page in range(PAGES)]))
    base = two.add_documents("Kilns", file)
    (row,) = two.get(f"/api/knowledge/{base}/files").json["items"]
    yield f"/api/knowledge/{base}/files/{row['id']}"
    two.request("DELETE", f"/api/knowledge/{base}")


@needs_models
def test_a_scan_and_a_sideways_picture_are_marked_upright(two: Service, tmp_path: Path) -> None:
    lines = ["The kiln is lit on Mondays", "and the keeper is paid in smoked eel."]
    (tmp_path / "scan.pdf").write_bytes(scan(["First page of the book"], lines))
    (tmp_path / "side.png").write_bytes(saved(page(lines).rotate(90, expand=True), "PNG"))
    base = two.add_documents("Scans", tmp_path / "scan.pdf", tmp_path / "side.png")
    for file in two.get(f"/api/knowledge/{base}/files").json["items"]:
        path = f"/api/knowledge/{base}/files/{file['id']}"
        chunks = two.get(f"{path}/chunks").json["items"]
        chunk = next(one for one in chunks if "smoked" in one["text"])
        start = chunk["start"] + chunk["text"].index("smoked")
        (marked,) = two.get(f"{path}/marks?start={start}&end={start + 6}").json["pages"]
        assert marked["page"] == file["pages"] and marked["width"] > marked["height"]
        ((left, top, width, height),) = marked["boxes"]  # of the second line
        assert left < 0.1 and 0.15 < top < 0.25 and width > 0.4 and height < 0.15
        assert two.get(f"{path}/pages/{marked['page']}").status == 200
    two.request("DELETE", f"/api/knowledge/{base}")
    assert stored(two) == []


def stored(service: Service) -> list[str]:
    names = (path.name for path in (service.home / "pages").iterdir())
    return sorted(name for name in names if re.match("[0-9a-f]{64}-", name))


def renderers(service: Service) -> list[int]:
    """Return the processes that render a page of this service."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if b"pageview.render" in line and str(service.home).encode() in line:
            found.append(int(path.parent.name))
    return found


def test_many_readers_of_the_same_pages_all_get_them(two: Service, document: str) -> None:
    def read(number: int) -> Reply:
        path = f"{document}/pages/{number % PAGES + 1}"
        reply = two.get(path)
        while reply.status == 503:
            assert int(reply.headers["Retry-After"]) > 0
            reply = two.get(path)
        return reply

    with ThreadPoolExecutor(24) as readers:
        replies = list(readers.map(read, range(4 * PAGES)))
    assert {reply.status for reply in replies} == {200}
    assert len({reply.body for reply in replies}) == PAGES
    assert len(stored(two)) == PAGES
    assert two.request("DELETE", document).status == 204
    assert stored(two) == []


def test_an_endless_page_holds_up_nothing_and_is_given_up(
    two: Service, document: str, tmp_path: Path
) -> None:
    """The original is replaced: the reader would not finish such a file either."""
    name = hashlib.sha256((tmp_path / "kiln.pdf").read_bytes()).hexdigest()
    (two.home / "originals" / name[:2] / name).write_bytes(endless_pdf())
    with ThreadPoolExecutor(1) as readers:
        page = readers.submit(two.get, f"{document}/pages/1")
        (renderer,) = wait_for(lambda: renderers(two), what="a renderer")
        assert two.get("/healthz").status == 200
        assert two.get(f"{document}/chunks").status == 200
        assert not page.done()
        os.kill(renderer, signal.SIGALRM)  # as at the end of its time
        assert page.result().status == 422
    assert renderers(two) == []
    assert two.get(f"{document}/pages/1").status == 422


def test_a_renderer_ends_with_its_worker(two: Service, document: str, tmp_path: Path) -> None:
    name = hashlib.sha256((tmp_path / "kiln.pdf").read_bytes()).hexdigest()
    (two.home / "originals" / name[:2] / name).write_bytes(endless_pdf())
    with ThreadPoolExecutor(1) as readers:
        page = readers.submit(two.get, f"{document}/pages/1")
        wait_for(lambda: renderers(two), what="a renderer")
        for worker in two.workers():
            os.kill(worker, signal.SIGKILL)
        wait_for(lambda: not renderers(two), what="no renderer")
        with pytest.raises(OSError):
            page.result()
    wait_for(lambda: len(two.workers()) == 2, what="two workers")
