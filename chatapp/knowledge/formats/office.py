"""Old Word and PowerPoint files (DOC, PPT): converted by LibreOffice where it is installed.

It runs within the limits of the parser's process, whose child it is: with a profile of its own that
is thrown away, without macros, links and network. What it writes is read like any other DOCX or
PPTX.
"""

import os
import shutil
import signal
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from chatapp.child import deny_network, die_with_parent
from chatapp.knowledge.formats.compound import CompoundFile
from chatapp.knowledge.formats.document import Unreadable

TARGETS = {"doc": "docx", "ppt": "pptx"}
MAX_STARTS = 3
RESTART = 81  # exit status after a profile was made: start again
LIMIT_SIGNALS = (signal.SIGXCPU, signal.SIGXFSZ, signal.SIGKILL, signal.SIGABRT)
IS_ENCRYPTED = 0x100  # of a DOC's flags ([MS-DOC] 2.5.2, fEncrypted)
FLAGS_AT = 10
ENCRYPTED_PPT = 0xF3D1C4DF  # headerToken of an encrypted PPT ([MS-PPT] 2.3.2)
TOKEN_AT = 12
_COMMON, _WRITER = "/org.openoffice.Office.Common", "/org.openoffice.Office.Writer"
_INET = "/org.openoffice.Inet/Settings"
# No macros, no links to other files or addresses.
_OPTIONS = (
    (f"{_COMMON}/Security/Scripting", "DisableMacrosExecution", "true"),
    (f"{_COMMON}/Security/Scripting", "MacroSecurityLevel", "3"),
    (f"{_COMMON}/Security/Scripting", "BlockUntrustedRefererLinks", "true"),
    (f"{_COMMON}/Security/Scripting", "DisableActiveContent", "true"),
    (f"{_WRITER}/Content/Update", "Link", "2"),
    (_INET, "ooInetProxyType", "2"),
    (_INET, "ooInetHTTPProxyName", "127.0.0.1"),
    (_INET, "ooInetHTTPProxyPort", "9"),
    (_INET, "ooInetHTTPSProxyName", "127.0.0.1"),
    (_INET, "ooInetHTTPSProxyPort", "9"),
)
_PROFILE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
{items}
</oor:items>
"""
_ITEM = (
    '<item oor:path="{path}"><prop oor:name="{name}" oor:op="fuse"><value>{value}</value></prop>'
    "</item>"
)


def program() -> Path | None:
    """Return LibreOffice's program, None where it is not installed."""
    found = shutil.which("soffice") or shutil.which("libreoffice")
    if found is None:
        return None
    started = Path(found).resolve()
    # Without the scripts around it, there is one process to limit and to end.
    itself = started.with_name("soffice.bin")
    return itself if itself.is_file() else started


def require_open(compound: CompoundFile) -> None:
    """Raise Unreadable for an encrypted file, for which LibreOffice would ask the password."""
    if compound.kind == "doc":
        stream, at, mask, wanted = "WordDocument", FLAGS_AT, IS_ENCRYPTED, IS_ENCRYPTED
    else:
        stream, at, mask, wanted = "Current User", TOKEN_AT, 0xFFFFFFFF, ENCRYPTED_PPT
    head = compound.read((stream,)) if compound.has(stream) else b""
    if len(head) >= at + 4 and struct.unpack_from("<I", head, at)[0] & mask == wanted:
        raise Unreadable("encrypted")


@contextmanager
def converted(path: Path, kind: str) -> Iterator[Path]:
    """Convert a file; yield the DOCX or PPTX. Raises Unreadable."""
    office = program()
    if office is None:
        raise Unreadable("old_office")
    with tempfile.TemporaryDirectory(prefix="office-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        source, profile = folder / f"original.{kind}", folder / "profile"
        shutil.copyfile(path, source)
        _write_profile(profile)
        _run(office, source, TARGETS[kind], profile)
        made = folder / "out" / f"original.{TARGETS[kind]}"
        if not made.is_file() or made.is_symlink():
            raise Unreadable("conversion")
        yield made


def _write_profile(profile: Path) -> None:
    items = "\n".join(
        _ITEM.format(path=path, name=name, value=value) for path, name, value in _OPTIONS
    )
    (profile / "user").mkdir(parents=True)
    (profile / "user" / "registrymodifications.xcu").write_text(
        _PROFILE.format(items=items), encoding="utf-8"
    )


def _run(office: Path, source: Path, target: str, profile: Path) -> None:
    command = [
        str(office), "--headless", "--norestore", "--nolockcheck", "--nodefault", "--nologo",
        f"-env:UserInstallation={profile.as_uri()}",
        "--convert-to", target, "--outdir", str(source.parent / "out"), str(source),
    ]  # fmt: skip
    for _ in range(MAX_STARTS):
        status = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=source.parent,
            env={"PATH": os.defpath, "HOME": str(profile), "TMPDIR": str(source.parent),
                 "LANG": "C.UTF-8", "SAL_USE_VCLPLUGIN": "svp"},
            preexec_fn=_confined(os.getpid()),
            check=False,
        ).returncode  # fmt: skip
        if -status in LIMIT_SIGNALS:
            raise Unreadable("limits")
        if status != RESTART:
            return


def _confined(parent: int) -> Callable[[], None]:
    def begin() -> None:
        die_with_parent(signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        deny_network()

    return begin
