"""The file of a backup proves that it is whole, and names what is damaged."""

import random
import subprocess
import tarfile
from pathlib import Path

import pytest

from chatapp.backups import archive
from chatapp.backups.archive import HEAD, MANIFEST, SEAL, Manifest, Writer, extract, verify
from chatapp.backups.faults import BackupFault

SEED = 7
FLIPS = 400
NAMES = (f"originals/ab/ab{'0' * 62}", "secret.key", "chatapp.db")


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """An archive whose members are larger than a block and do not end with one."""
    path = tmp_path / "whole.tar"
    part = tmp_path / "part"
    with open(path, "wb") as file:
        writer = Writer(file, "1")
        for n, name in enumerate(NAMES):
            part.write_bytes(random.Random(n).randbytes(700 + n))
            with open(part, "rb") as content:
                writer.add(name, content)
        writer.seal(Manifest("sqlite", "0001", "2026-11-29"))
    return path


def fault_of(path: Path) -> BackupFault:
    with pytest.raises(BackupFault) as raised:
        verify(path)
    return raised.value


def changed(whole: Path, at: int, bit: int = 0) -> Path:
    data = bytearray(whole.read_bytes())
    data[at] ^= 1 << bit
    path = whole.with_name("changed.tar")
    path.write_bytes(data)
    return path


def test_what_was_written_is_extracted_and_tar_reads_it(whole: Path, tmp_path: Path) -> None:
    manifest = verify(whole)
    assert list(manifest.members) == list(NAMES)
    extract(whole, manifest, tmp_path / "out")
    with tarfile.open(whole) as tar:
        assert tar.getnames() == [HEAD, *NAMES, MANIFEST, SEAL]
        for name in NAMES:
            content = tar.extractfile(name)
            assert content is not None
            assert (tmp_path / "out" / name).read_bytes() == content.read()


def test_every_flipped_bit_is_noticed(whole: Path) -> None:
    chosen, size = random.Random(SEED), whole.stat().st_size
    edges = [0, archive.BLOCK, size - archive.SEAL_BYTES, size - 1]  # the last is in empty blocks
    for at in [*edges, *(chosen.randrange(size) for _ in range(FLIPS))]:
        path = changed(whole, at, chosen.randrange(8))
        assert fault_of(path).key in ("damaged", "damaged_after", "no_archive", "newer"), at


def test_every_truncation_is_noticed(whole: Path) -> None:
    chosen, data = random.Random(SEED), whole.read_bytes()
    path = whole.with_name("cut.tar")
    for length in (0, 1, len(data) - 1, *(chosen.randrange(len(data)) for _ in range(50))):
        path.write_bytes(data[:length])
        assert fault_of(path).key in ("damaged", "damaged_after", "no_archive"), length
    path.write_bytes(data[: len(data) // 2])
    assert fault_of(path).key == "damaged_after"
    path.write_bytes(data + b"\0")
    assert fault_of(path).key == "damaged"


@pytest.mark.parametrize("name", NAMES)
def test_the_damaged_member_is_named(whole: Path, name: str) -> None:
    with tarfile.open(whole) as tar:
        member = tar.getmember(name)
    fault = fault_of(changed(whole, member.offset_data + 5))
    assert (fault.key, fault.params["parts"]) == ("damaged", name)
    fault = fault_of(changed(whole, member.offset + 2))
    assert fault.key == "damaged_after"


def test_a_newer_format_and_another_file_are_refused(tmp_path: Path, whole: Path) -> None:
    data = whole.read_bytes()
    path = tmp_path / "newer.tar"
    path.write_bytes(data.replace(b'{"format": 1', b'{"format": 2', 1))
    assert fault_of(path).key == "newer"
    path.write_bytes(b"nothing of ours " * 1000)
    assert fault_of(path).key == "no_archive"


def test_no_name_leads_out_of_the_folder(tmp_path: Path) -> None:
    path = tmp_path / "hostile.tar"
    (tmp_path / "part").write_bytes(b"x")
    with open(path, "wb") as file:
        writer = Writer(file, "1")
        with open(tmp_path / "part", "rb") as content:
            writer.add("../outside", content)
        writer.seal(Manifest("sqlite", "0001", "2026-11-29"))
    with pytest.raises(BackupFault):
        extract(path, verify(path), tmp_path / "out")
    assert not (tmp_path / "outside").exists()


def test_tar_lists_an_archive(whole: Path) -> None:
    done = subprocess.run(["tar", "-tf", whole], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines()[0] == HEAD
