"""Web pages through the real service: a server that hangs, and killed processes."""

import os
import signal
import sqlite3
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.support.service import Service, wait_for
from tests.support.websites import WebSite, page

pytestmark = pytest.mark.server

LEAVE = "<title>Leave</title><p>Employees have twenty-five days of leave."


SETTINGS = {"CHATAPP_FETCH_ALLOW": "127.0.0.1"}


def worker_of(service: Service) -> int | None:
    """Return the process that holds the lease of a page."""
    with closing(sqlite3.connect(f"file:{service.home}/chatapp.db?mode=ro", uri=True)) as database:
        query = "SELECT lease_owner FROM files WHERE status = 'fetching'"
        owners = [row[0] for row in database.execute(query) if row[0]]
    return int(owners[0].split(":")[1]) if owners else None


def add(service: Service, base: str, url: str) -> str:
    added = service.post(f"/api/knowledge/{base}/files", {"url": url})
    assert added.status == 202, added.body
    return str(added.json["items"][0]["id"])


def state(service: Service, base: str, file_id: str) -> dict[str, Any]:
    return dict(service.get(f"/api/knowledge/{base}/files/{file_id}").json)


def test_a_server_that_hangs_holds_up_nothing(tmp_path: Path) -> None:
    def hang(handler: BaseHTTPRequestHandler) -> None:
        site.leave.wait()

    note = tmp_path / "note.txt"
    note.write_text("Lunch is at noon.")
    with (
        WebSite({f"/{n}": hang for n in range(8)}) as site,
        Service(tmp_path, **SETTINGS) as service,
    ):
        base = str(service.post("/api/knowledge", {"name": "Handbook"}).json["id"])
        hanging = [add(service, base, f"{site.url}/{n}") for n in range(8)]
        wait_for(lambda: len(site.requests) >= 4, what="the pages are being fetched")
        service.upload(base, note)
        note_id = service.get(f"/api/knowledge/{base}/files").json["items"][0]["id"]
        wait_for(lambda: state(service, base, note_id)["status"] == "ready", what="it is read")
        for one in hanging[1:]:
            assert state(service, base, one)["status"] == "fetching"
            assert service.request("DELETE", f"/api/knowledge/{base}/files/{one}").status == 204
        assert len(service.get(f"/api/knowledge/{base}/files").json["items"]) == 2
    # The service has ended although its requests have no answer; the next one goes on.
    with Service(tmp_path, **SETTINGS) as service:
        lost = lambda: state(service, base, hanging[0])["error"]  # noqa: E731
        assert wait_for(lost, what="its server is gone")["code"] == "page_unavailable"


def test_a_killed_worker_s_page_is_fetched_by_the_next(tmp_path: Path) -> None:
    with WebSite({}) as site, Service(tmp_path, **SETTINGS) as running:
        base = str(running.post("/api/knowledge", {"name": "Handbook"}).json["id"])

        def hang(handler: BaseHTTPRequestHandler) -> None:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n<p>")
            site.leave.wait()

        site.pages["/leave"] = hang
        file_id = add(running, base, f"{site.url}/leave")
        wait_for(lambda: site.requests, what="the page is being fetched")
        worker = wait_for(lambda: worker_of(running), what="the page is leased")
        site.pages["/leave"] = page(LEAVE)
        os.kill(worker, signal.SIGKILL)
        wait_for(lambda: state(running, base, file_id)["status"] == "ready", what="it is read")
        assert state(running, base, file_id)["name"] == "Leave"
