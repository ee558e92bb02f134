"""Unusual files: each is ready or fails with its own message, and nothing else is affected."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chatapp.knowledge.formats import office
from chatapp.knowledge.formats.registry import SUPPORTED
from tests.support import documents
from tests.support.compound_files import compound
from tests.support.service import Service, wait_for

pytestmark = pytest.mark.server

MB = 1024 * 1024
LIMIT = 200 * MB
ROOT = Path(__file__).parents[2]
CATALOGUES = {
    one: json.loads((ROOT / "static" / "i18n" / f"{one}.json").read_text("utf-8"))
    for one in ("en", "zh-CN")
}
CHINESE = "员工每年享有十五天带薪年假，请假须提前三个工作日向主管申请。"

# file, and the key of its error message; None for a file that can be read
FILES: dict[str, tuple[Callable[[], bytes], str | None]] = {
    "no-page.pdf": (documents.no_page, "error.unreadable_file.empty"),
    "locked.pdf": (
        lambda: documents.pdf("secret", encrypt="word"),
        "error.unreadable_file.encrypted",
    ),
    "locked.docx": (
        lambda: compound({"EncryptedPackage": b"text"}),
        "error.unreadable_file.encrypted",
    ),
    "broken.pdf": (lambda: documents.english_pdf()[:9000], "error.unreadable_file"),
    "broken.docx": (lambda: documents.word()[:9000], "error.unreadable_file"),
    "broken.xlsx": (lambda: documents.workbook()[:3000], "error.unreadable_file"),
    "scan.pdf": (documents.scan, "error.unreadable_file.no_text"),
    "bomb.docx": (documents.bomb, "error.unreadable_file.bomb"),
    "bomb.pdf": (documents.nested_pdf, None),
    "picture.pdf": (lambda: b"\x89PNG\r\n\x1a\n" + b"\0" * 500, "error.unreadable_file"),
    "layers.psd": (lambda: b"8BPS\0\1" + b"\0" * 500, "error.unsupported_file.picture"),
    "old.doc": (
        lambda: compound({"WordDocument": b"text"}),
        "error.unreadable_file.conversion"
        if office.program()
        else "error.unsupported_file.old_office",
    ),
    "files.zip": (lambda: documents.archive({"a.txt": "text"}), None),
    "files.7z": (lambda: b"7z\xbc\xaf\x27\x1c" + b"\0" * 50, "error.unsupported_file.archive"),
    "program.txt": (lambda: b"\x7fELF" + bytes(range(256)) * 50, "error.unsupported_file"),
    "really-word.pdf": (documents.word, None),
    "really-pdf.docx": (lambda: documents.pdf("Twenty days of leave."), None),
    "really-html.txt": (
        lambda: b"<!DOCTYPE html><html><body><p>Thirty days of leave.</p></body></html>",
        None,
    ),
    "gb18030.txt": (lambda: CHINESE.encode("gb18030"), None),
    "utf-16.txt": (lambda: ("乙方" + CHINESE).encode("utf-16"), None),
    "utf-16-without-mark.txt": (lambda: ("丙方" + CHINESE + "\r\n").encode("utf-16-le"), None),
    "sales.xlsx": (documents.workbook, None),
    "leave.pptx": (documents.slides, None),
    "deep.html": (lambda: b"<html><body>" + b"<div>" * 300_000 + b"Forty days of leave.", None),
    "deep.json": (lambda: b"[" * 200_000, None),
    "nearly-200-mb.txt": (
        lambda: b"words, and words " * ((LIMIT - MB) // 17),
        "error.too_large.too_long",
    ),
}


@pytest.fixture(scope="module")
def base(service: Service) -> str:
    return str(service.post("/api/knowledge", {"name": "Odd files"}).json["id"])


def sentence(key: str, language: str, name: str) -> str:
    params = {"name": name, "kinds": SUPPORTED, "limit": "10,000,000"}
    return str(CATALOGUES[language][key]).format(**params)


def test_each_unusual_file_ends_as_expected_without_affecting_others(
    service: Service, base: str, tmp_path: Path
) -> None:
    with ThreadPoolExecutor() as pool, watched(service) as taken:
        question = {
            "question": "Go on.",
            "llm_config": {"supplier": "openai", "model": "typewriter-300-20"},
        }
        live = pool.submit(service.stream, question)
        for name, (make, _) in FILES.items():
            path = tmp_path / name
            path.write_bytes(make())
            assert service.upload(base, path).status == 202, name
            path.unlink()
        rows = wait_for(lambda: ended(service, base), "every file has ended")
        streamed = live.result()
    for name, (_, key) in FILES.items():
        assert rows[name]["status"] == ("failed" if key else "ready"), rows[name]
        for language in CATALOGUES if key else ():
            told = service.get(
                f"/api/knowledge/{base}/files/{rows[name]['id']}", Accept_Language=language
            ).json["error"]
            assert told["message"] == sentence(str(key), language, name)
    assert streamed.last["type"] == "done" and len(streamed.text().split()) == 300
    assert taken, "/healthz answered all the time"


def test_the_text_of_unusual_files_is_found(service: Service, base: str) -> None:
    for query, name in (
        ("leave in Kiel Bremen sales", "sales.xlsx"),
        ("乙方年假", "utf-16.txt"),
        ("丙方年假", "utf-16-without-mark.txt"),
        ("thirty days", "really-html.txt"),
        ("forty days", "deep.html"),
        ("was it agreed in May", "leave.pptx"),
    ):
        found = service.post(f"/api/knowledge/{base}/search", {"query": query, "k": 3}).json[
            "items"
        ]
        assert name in [passage["name"] for passage in found], query


@pytest.mark.parametrize("language", CATALOGUES)
def test_an_empty_file_is_refused_at_once(
    service: Service, base: str, tmp_path: Path, language: str
) -> None:
    path = tmp_path / "empty.txt"
    path.touch()
    before = len(service.output())
    reply = service.upload(base, path, Accept_Language=language)
    assert (reply.status, reply.json["error"]["code"]) == (422, "unreadable_file")
    assert reply.json["error"]["message"] == sentence(
        "error.unreadable_file.empty", language, "empty.txt"
    )
    assert "Traceback" not in service.output()[before:]


@pytest.mark.parametrize("language", CATALOGUES)
def test_a_file_over_the_limit_is_refused_with_the_limit(
    service: Service, base: str, tmp_path: Path, language: str
) -> None:
    path = tmp_path / "large.txt"
    path.write_bytes(b"words, and words " * (LIMIT // 17 + 100_000))
    reply = service.upload(base, path, Accept_Language=language)
    assert (reply.status, reply.json["error"]["code"]) == (413, "too_large")
    assert reply.json["error"]["message"] == CATALOGUES[language]["error.too_large"].format(
        limit="200 MB"
    )
    assert service.get("/healthz").status == 200


def ended(service: Service, base: str) -> dict[str, Any] | None:
    """Return the files by name once all are ready or failed."""
    items = service.get(f"/api/knowledge/{base}/files").json["items"]
    return (
        {item["name"]: item for item in items}
        if all(item["status"] in ("ready", "failed") for item in items)
        else None
    )


@contextmanager
def watched(service: Service) -> Iterator[list[float]]:
    """Request /healthz repeatedly; yield the seconds of each response."""
    taken: list[float] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            before = time.monotonic()
            assert service.get("/healthz").status == 200
            taken.append(time.monotonic() - before)

    with ThreadPoolExecutor() as pool:
        looking = pool.submit(look)
        try:
            yield taken
        finally:
            over.set()
        looking.result()
