"""Starting the program of a systemd unit as systemd would, without systemd; needs root.

`python -m tests.support.unit FILE STATE [FOLDER…]`: the program is seen in the unit's working
directory, STATE in place of its state directory, and each FOLDER in place of the next path of
ReadWritePaths. Of the unit these lines are obeyed: User (`nobody` here), ProtectSystem=strict with
ReadWritePaths, PrivateTmp, NoNewPrivileges, an empty CapabilityBoundingSet, UMask,
SystemCallFilter and ExecStart. Home folders stay visible: Python may be in one.
"""

import ctypes
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.support.service import ROOT

NOBODY = 65534
CLONE_NEWNS = 0x20000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
LAST_CAPABILITY = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
PYTHON = Path(os.path.realpath(sys.executable)).parents[1]
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | 1  # libseccomp's: EPERM

libc = ctypes.CDLL(None, use_errno=True)


class Unit:
    """The lines of a unit's file; a name may have several values."""

    def __init__(self, file: Path) -> None:
        self._lines = re.findall(r"^(\w+)=(.*)$", file.read_text("utf-8"), re.MULTILINE)

    def all(self, name: str) -> list[str]:
        """Return the words of all lines with a name."""
        return [word for key, value in self._lines if key == name for word in value.split()]

    def one(self, name: str) -> str:
        """Return the value of the only line with a name."""
        [value] = [value for key, value in self._lines if key == name]
        return value


def calls(name: str) -> Iterator[str]:
    """Yield the system calls of a set of systemd's (`@privileged`), or the call itself."""
    if not name.startswith("@"):
        yield name
        return
    command = ["systemd-analyze", "syscall-filter", name]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for line in shown.splitlines()[1:]:
        if (each := line.strip()) and not each.startswith("#"):
            yield from calls(each)


def allowed(unit: Unit) -> set[str]:
    """Return the system calls that a unit allows."""
    filters = [value for key, value in unit._lines if key == "SystemCallFilter"]
    found = set(calls("@default"))
    for value in filters:
        sets = {call for name in value.lstrip("~").split() for call in calls(name)}
        found = found - sets if value.startswith("~") else found | sets
    return found


def check(result: int) -> None:
    """Raise the error of a call of the C library."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """Mount as mount(2) does."""
    names = [each.encode() if each is not None else None for each in (source, target, kind)]
    check(libc.mount(*names, ctypes.c_ulong(flags), options.encode() or None))


def bind(source: Path, target: str) -> None:
    """Show a folder in another place."""
    Path(target).mkdir(parents=True, exist_ok=True)
    mount(str(source), target, None, MS_BIND)


def private_folder(path: Path) -> str | None:
    """Return the first folder on the way to a path that only its owner may enter."""
    return next((str(each) for each in reversed(path.parents) if not each.stat().st_mode & 1), None)


def arrange(unit: Unit, state: Path, folders: list[Path]) -> None:
    """Give this process a view of the file system of its own, most of which is read-only."""
    check(libc.unshare(CLONE_NEWNS))
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    shown = {
        unit.one("WorkingDirectory"): ROOT,
        f"/var/lib/{unit.one('StateDirectory')}": state,
        **dict(zip(unit.all("ReadWritePaths"), folders, strict=True)),
    }
    covered = {str(Path(place).parent) for place in shown} | {"/tmp"}
    if private := private_folder(PYTHON):
        shown[str(PYTHON)] = PYTHON
        covered.add(private)
    held = {place: os.open(folder, os.O_PATH) for place, folder in shown.items()}
    for above in covered:
        mount("tmpfs", above, "tmpfs", 0, "mode=1777" if above == "/tmp" else "mode=755")
    for place, descriptor in held.items():
        bind(Path(f"/proc/self/fd/{descriptor}"), place)
        os.close(descriptor)
    mount("none", "/", None, MS_REMOUNT | MS_BIND | MS_RDONLY)
    mount("none", unit.one("WorkingDirectory"), None, MS_REMOUNT | MS_BIND | MS_RDONLY)


def give_up_privileges() -> None:
    """Become `nobody`, without capabilities and without a way to get any."""
    for capability in range(LAST_CAPABILITY + 1):
        check(libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0))
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def filter_calls(names: set[str]) -> None:
    """Refuse all system calls but these."""
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(REFUSE))
    for name in sorted(names):
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # this machine has it
            assert seccomp.seccomp_rule_add(context, ALLOW, number, 0) == 0, name
    assert seccomp.seccomp_load(context) == 0


def main(file: str, state: str, *folders: str) -> None:
    """Become the unit's program."""
    unit = Unit(Path(file))
    names = allowed(unit)
    arrange(unit, Path(state), [Path(folder) for folder in folders])
    os.chdir(unit.one("WorkingDirectory"))
    os.umask(int(unit.one("UMask"), 8))
    home = f"/var/lib/{unit.one('StateDirectory')}"
    environ = {**os.environ, "HOME": home, "CHATAPP_HOME": home}
    command = unit.one("ExecStart").split()
    give_up_privileges()
    filter_calls(names)
    os.execve(command[0], command, environ)


if __name__ == "__main__":
    main(*sys.argv[1:])
