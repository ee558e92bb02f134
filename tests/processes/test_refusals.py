"""Starts that cannot work end with a sentence, and nothing runs on."""

import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from chatapp.processes import listening
from tests.support.service import PATIENCE_SECONDS, wait_for
from tests.support.standins import StandIn

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(sys.platform != "linux", reason="needs /proc"),
]


def test_a_taken_port_is_one_sentence(service: StandIn) -> None:
    with socket.create_server(("127.0.0.1", service.port)):
        assert service.begin().wait(PATIENCE_SECONDS) == 1
    assert service.output().startswith(f"Port {service.port} on 127.0.0.1 is in use")
    assert len(service.output().splitlines()) == 1
    assert not service.home.exists()


def test_a_port_that_a_killed_service_still_holds_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "LET_GO_SECONDS", PATIENCE_SECONDS)
    with socket.create_server(("127.0.0.1", 0)) as held:
        monkeypatch.setattr(listening.time, "sleep", lambda _: held.close())
        cfg = SimpleNamespace(reuse_port=False, address=[held.getsockname()])
        listening.refuse_taken(cfg, tmp_path)
        assert held.fileno() == -1, "it was taken at first"


def test_a_unix_socket_in_use_is_not_taken_over(service: StandIn) -> None:
    path = service.folder / "s"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        assert service.begin("-b", f"unix:{path}").wait(PATIENCE_SECONDS) == 1
    assert service.output() == f"Another program listens on {path}. Choose another path.\n"
    assert path.exists() and not service.home.exists()


def test_a_unix_socket_that_a_killed_service_left_is_replaced(service: StandIn) -> None:
    path = service.folder / "s"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    service.begin("-b", f"unix:{path}")
    wait_for(lambda: f"Good morning at unix:{path}" in service.output())
    assert service.end() == 0
    assert not path.exists()


def test_a_unix_socket_in_no_folder_is_one_sentence(service: StandIn) -> None:
    folder = service.folder / "none"
    assert service.begin("-b", f"unix:{folder}/s").wait(PATIENCE_SECONDS) == 1
    said = f"No socket can be created in {folder}: it is missing or not writable.\n"
    assert service.output() == said


def test_a_failed_preparation_is_one_sentence(service: StandIn) -> None:
    service.home.mkdir()
    (service.home / "fail").touch()
    assert service.begin("--preload").wait(PATIENCE_SECONDS) == 1
    assert service.output() == "It cannot be prepared.\n"
    wait_for(lambda: not service.rest())


def test_a_home_that_cannot_be_written_is_one_sentence(service: StandIn) -> None:
    service.home.write_text("a file stands here")
    assert service.begin().wait(PATIENCE_SECONDS) == 1
    said = (
        f"{service.home} is not writable. Create it for this user, or choose another folder with"
        " CHATAPP_HOME.\n"
    )
    assert service.output() == said


def test_faulty_settings_are_named_all_at_once(service: StandIn) -> None:
    assert (
        service.begin(CHATAPP_AUTH="maybe", CHATAPP_MAX_STREAMS="many").wait(PATIENCE_SECONDS) == 1
    )
    said = "CHATAPP_AUTH must be accounts or off.\nCHATAPP_MAX_STREAMS must be a whole number.\n"
    assert service.output() == said


def test_the_terminal_speaks_chinese_where_it_is_set_to(service: StandIn) -> None:
    with socket.create_server(("127.0.0.1", service.port)):
        assert service.begin(LANG="zh_CN.UTF-8").wait(PATIENCE_SECONDS) == 1
    assert service.output().startswith(f"其他程序占用了 127.0.0.1 的端口 {service.port}")
