"""DOC and PPT through LibreOffice: a stand-in for how it is run, the real one where it is
installed."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from chatapp.child import deny_network, is_running
from chatapp.errors import UnreadableFile
from chatapp.knowledge.formats import office
from chatapp.knowledge.formats.document import LeftOut, Unreadable
from chatapp.knowledge.ingest.sandbox import parse_limited
from chatapp.settings import Settings
from tests.support import documents
from tests.support.compound_files import compound
from tests.support.reading import read, refusal_reason
from tests.support.service import wait_for

OLD = compound({"WordDocument": b"\0" * 64})
MAKES = 'for last; do :; done\nout="$(dirname "$last")/out"\nmkdir -p "$out"\n'
needs_office = pytest.mark.skipif(office.program() is None, reason="LibreOffice is not installed")

StandIn = Callable[[str], None]


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Return a function that makes a script the machine's LibreOffice."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def install(script: str) -> None:
        (folder / "soffice").write_text(f"#!/bin/sh\n{script}")
        (folder / "soffice").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    return install


def test_without_libreoffice_the_reason_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert refusal_reason(tmp_path, OLD, "a.doc") == "old_office"


def test_what_it_writes_is_read_like_any_document(tmp_path: Path, stand_in: StandIn) -> None:
    made = tmp_path / "made.docx"
    made.write_bytes(documents.word())
    stand_in(f'{MAKES}cp {made} "$out/original.docx"')
    assert read(tmp_path, OLD, "a.doc").text == read(tmp_path, documents.word()).text


def test_it_is_started_again_after_it_has_made_its_profile(
    tmp_path: Path, stand_in: StandIn
) -> None:
    made, mark = tmp_path / "made.docx", tmp_path / "mark"
    made.write_bytes(documents.word())
    stand_in(
        f'{MAKES}[ -e {mark} ] || {{ touch {mark}; exit 81; }}\ncp {made} "$out/original.docx"'
    )
    assert read(tmp_path, OLD, "a.doc").text


def test_its_profile_is_its_own_and_is_thrown_away(tmp_path: Path, stand_in: StandIn) -> None:
    kept = tmp_path / "kept"
    stand_in(f'echo "$HOME $*" >> {kept}\ncat "$HOME/user/registrymodifications.xcu" >> {kept}')
    assert refusal_reason(tmp_path, OLD, "a.doc") == "conversion"
    written = kept.read_text()
    home = Path(written.split()[0])
    assert not home.parent.exists() and f"-env:UserInstallation=file://{home}" in written
    assert "DisableMacrosExecution" in written and str(Path.home()) != str(home)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 0", "conversion"),
        ("exit 1", "conversion"),
        ("exit 81", "conversion"),
        ("kill -SEGV $$", "conversion"),
        ("kill -KILL $$", "limits"),
        (f'{MAKES}ln -s /etc/passwd "$out/original.docx"', "conversion"),
        (f'{MAKES}echo "{{rtf text}}" > "$out/original.docx"', "conversion"),
        (f'{MAKES}cp BOMB "$out/original.docx"', "bomb"),
    ],
)
def test_its_failures_have_their_reason(
    tmp_path: Path, stand_in: StandIn, script: str, reason: str
) -> None:
    bomb = tmp_path / "bomb"
    bomb.write_bytes(documents.bomb())
    stand_in(script.replace("BOMB", str(bomb)))
    assert refusal_reason(tmp_path, OLD, "a.doc") == reason


def test_one_that_hangs_ends_with_the_parser(tmp_path: Path, stand_in: StandIn) -> None:
    pid = tmp_path / "pid"
    stand_in(f"echo $$ > {pid}\nexec sleep 600")
    path = tmp_path / "original"
    path.write_bytes(OLD)
    with pytest.raises(UnreadableFile) as refused:
        parse_limited(path, "a.doc", Settings(home=tmp_path, parse_seconds=4), lambda: None)
    assert refused.value.key == "error.unreadable_file.limits"
    wait_for(lambda: not is_running(int(pid.read_text())))


def test_an_attached_one_costs_itself(tmp_path: Path, stand_in: StandIn) -> None:
    stand_in("exit 1")
    found = read(tmp_path, documents.archive({"a.doc": OLD, "b.txt": "27 days"}), "a.zip")
    assert (found.text, found.left_out) == ("27 days", (LeftOut("a.doc", "conversion"),))


@pytest.mark.parametrize(
    "streams",
    [
        {"WordDocument": b"\0" * 10 + b"\0\1" + b"\0" * 50},
        {
            "PowerPoint Document": b"\0" * 50,
            "Current User": b"\0" * 12 + b"\xdf\xc4\xd1\xf3" + b"\0" * 8,
        },
    ],
)
def test_an_encrypted_one_says_so(
    tmp_path: Path, stand_in: StandIn, streams: dict[str, bytes]
) -> None:
    stand_in("exit 1")
    assert refusal_reason(tmp_path, compound(streams), "a.doc") == "encrypted"


def test_a_process_without_network_reaches_local_sockets_only() -> None:
    code = (
        "import socket\nsocket.socket(socket.AF_UNIX).close()\n"
        "for kind in (socket.AF_INET, socket.AF_INET6):\n"
        "    try: socket.socket(kind)\n    except PermissionError: print('denied')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        preexec_fn=deny_network,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["denied", "denied"]


# --- the real LibreOffice


def saved_as(tmp_path: Path, content: bytes, name: str, kind: str) -> bytes:
    """Return an Office file in an older format."""
    (tmp_path / name).write_bytes(content)
    program = str(shutil.which("soffice"))
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    command = [program, profile, "--headless", "--convert-to", kind, "--outdir", str(tmp_path)]
    subprocess.run([*command, str(tmp_path / name)], check=True, capture_output=True)
    return (tmp_path / name).with_suffix(f".{kind}").read_bytes()


@needs_office
@pytest.mark.parametrize(
    ("content", "name", "kind"),
    [(documents.word, "a.docx", "doc"), (documents.slides, "a.pptx", "ppt")],
)
def test_old_files_are_read(
    tmp_path: Path, content: Callable[[], bytes], name: str, kind: str
) -> None:
    path = tmp_path / "original"
    path.write_bytes(saved_as(tmp_path, content(), name, kind))
    found = parse_limited(path, f"a.{kind}", Settings(home=tmp_path), lambda: None)
    words = {word for word in read(tmp_path, content()).text.split() if word.isalpha()}
    assert len(words & set(found.text.split())) >= 0.9 * len(words)


@needs_office
def test_links_in_a_document_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("SECRET")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/a"
        made = "".join(
            rf'{{\field{{\*\fldinst {kind} "{place}"}}{{\fldrslt old}}}}\par '
            for kind, place in (
                ("INCLUDETEXT", secret.as_uri()),
                ("INCLUDETEXT", address),
                ("INCLUDEPICTURE", address),
            )
        )
        path = tmp_path / "original"
        path.write_text(rf"{{\rtf1 27 days\par {made}}}")
        with office.converted(path, "doc") as converted:
            content = converted.read_bytes()
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert "SECRET" not in read(tmp_path, content).text


@needs_office
def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable) as refused:
        read(tmp_path, compound({"WordDocument": os.urandom(9000)}), "a.doc")
    assert refused.value.reason in ("conversion", "blank_document", "encrypted", "limits")
