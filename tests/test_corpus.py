"""`make corpus DIR` reads a folder of files with the product's own parser and ingestion."""

import json
import tempfile
from pathlib import Path

import pytest

from bench import corpus
from tests.support.documents import pdf, word


def write(folder: Path, name: str, content: bytes, *words: str) -> dict[str, object]:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return {name: {"source": "made here", "words": list(words)}}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "files").mkdir()
    return tmp_path / "files"


def report(folder: Path, capsys: pytest.CaptureFixture[str], *names: str) -> str:
    assert corpus.main([str(folder), *names]) == 0
    assert not list(folder.parent.joinpath("temporary").iterdir()), "the home is left"
    return capsys.readouterr().out


def test_each_file_says_what_was_read_or_why_not_and_which_words_are_missing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = write(
        folder, "towns.txt", "Lindau and ＡＡＣＨＥＮ".encode(), "lindau", "aachen", "ulm"
    )
    index |= write(folder, "sound.mp3", b"ID3" + bytes(40), "never", "counted")
    index |= write(folder, "secret.pdf", pdf("Secret", encrypt="word"))
    write(folder, "inner/report.docx", word())
    (folder / "index.json").write_text(json.dumps(index))
    printed = report(folder, capsys)
    assert "missing: ulm" in printed
    assert "password-protected" in printed and "[error.unreadable_file.encrypted]" in printed
    assert "report.docx" in printed and "index.json" not in printed
    assert "4 files: 2 ready" in printed
    assert "2 of 3 words (66.67 %) in files of kinds that are read, 2 of 5 words" in printed


def test_a_parser_shows_its_time_and_memory(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, "report.docx", word())
    write(folder, "other.txt", b"not asked for")
    printed = report(folder, capsys, "report.docx").splitlines()
    line = next(each for each in printed if each.endswith("report.docx"))
    cpu, memory, characters = line.split()[:3]
    assert float(cpu) > 0 and int(memory) > 5 and int(characters.replace(",", "")) > 0
    assert "1 files: 1 ready" in printed[-1]


def test_without_a_folder_it_says_what_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert corpus.main(["/no/such/folder"]) == 2
    assert "make corpus DIR" in capsys.readouterr().err
