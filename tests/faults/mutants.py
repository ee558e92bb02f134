"""Files with random damage: each is read, or refused for a true reason, within the limits.

    python -m tests.faults.mutants --times 2000 [--seed N] [--folder DIR]

Bits are flipped, parts cut off, swapped, repeated, cleared or taken from another file; in a zip
package also within its members, since damage to compressed bytes is noticed by the checksum. The
files are small ones of our own, or those of a folder. Each goes through the product's own steps
(`bench/corpus.py`), its parser in the limited child process.
"""

import argparse
import random
import sys
import tempfile
import zipfile
from collections import Counter
from io import BytesIO
from pathlib import Path

from bench.corpus import Corpus, Reading
from chatapp.settings import MB, Settings
from tests.faults.report import Report
from tests.support.mixed_files import mixed_files

SECONDS, MEMORY = 60, 1024 * MB
MAX_BYTES = 2 * MB  # larger files of a folder are left out
MAX_MEMBER = 4 * MB
REASONS = (
    "error.unreadable_file",  # damaged
    "error.unreadable_file.empty",
    "error.unreadable_file.encrypted",
    "error.unreadable_file.no_text",
    "error.unreadable_file.blank",
    "error.unreadable_file.blank_document",
    "error.unreadable_file.blank_workbook",
    "error.unreadable_file.blank_slides",
    "error.unreadable_file.bomb",
    "error.unreadable_file.encoding",
    "error.unreadable_file.nested",
    "error.unreadable_file.unsafe",
    "error.unreadable_file.members",
    "error.unreadable_file.packed",  # by an unknown method
    "error.unreadable_file.conversion",
    "error.unreadable_file.picture_size",
    "error.unreadable_file.recognition_off",
    "error.too_large.pages",
    "error.too_large.too_long",
)
UNSUPPORTED = "error.unsupported_file"


def mutated(chance: random.Random, content: bytes, other: bytes) -> bytes:
    """Return a file with random damage; half of the damage to a package is within its members."""
    if content.startswith(b"PK") and chance.random() < 0.5:
        return _mutated_members(chance, content, other)
    return _damaged(chance, content, other)


def _damaged(chance: random.Random, content: bytes, other: bytes) -> bytes:
    data = bytearray(content)
    if len(data) < 4:
        return bytes(data)
    at, to = sorted(chance.sample(range(len(data)), 2))
    match chance.randrange(6):
        case 0:
            for _ in range(chance.choice((1, 4, 16, 64))):
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        case 1:
            del data[chance.choice((at, to)) :]
        case 2:
            middle = (at + to) // 2
            data[at:to] = data[middle:to] + data[at:middle]
        case 3:
            data[at:at] = data[at : min(to, at + 4096)] * chance.choice((1, 2, 8))
        case 4:
            data[at:to] = bytes(min(to - at, 4096))
        case _:
            start = chance.randrange(len(other))
            data[at:to] = other[start : start + min(to - at, 4096)]
    return bytes(data)


def _mutated_members(chance: random.Random, content: bytes, other: bytes) -> bytes:
    try:
        with zipfile.ZipFile(BytesIO(content)) as package:
            sizes = [one.file_size for one in package.infolist()]
            parts = {name: package.read(name) for name in package.namelist()}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return _damaged(chance, content, other)
    if not parts or max(sizes) > MAX_MEMBER:
        return _damaged(chance, content, other)
    names = [name for name in parts if parts[name]]
    one, two = chance.choice(names), chance.choice(names)
    if chance.random() < 0.2:
        parts[one], parts[two] = parts[two], parts[one]
    elif chance.random() < 0.1:
        del parts[one]
    else:
        parts[one] = _damaged(chance, parts[one], parts[two])
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as package:
        for name, part in parts.items():
            package.writestr(name, part)
    return made.getvalue()


def fault(reading: Reading) -> str:
    """Return what is wrong with the way a damaged file was read; "" if nothing."""
    if reading.status not in ("ready", "failed", "refused"):
        return f"left {reading.status}"
    if reading.cpu_seconds > SECONDS + 5 or reading.peak_mb > MEMORY / MB:
        return f"{reading.cpu_seconds:.0f} s of CPU, {reading.peak_mb:.0f} MB"
    key = str(reading.error["key"]) if reading.error else ""
    if key and key not in REASONS and not key.startswith(UNSUPPORTED):
        return key
    if not key and not reading.chunks:
        return "ready without a passage"
    return ""


def run(times: int, seed: int, folder: Path | None = None, keep: Path | None = None) -> Report:
    """Damage files this often and read them; files that are read wrongly are kept in `keep`."""
    chance = random.Random(seed)
    files = _files(folder) if folder else mixed_files()
    found = Report(f"{times} damaged files of {len(files)}")
    outcomes: Counter[str] = Counter()
    left_out = bugs = 0
    names = sorted(files)
    slowest, largest = 0.0, 0.0
    settings = Settings(parse_seconds=SECONDS, parse_bytes=MEMORY, ocr=False)
    with Corpus(settings) as corpus, tempfile.TemporaryDirectory() as made:
        for number in range(times):
            name = chance.choice(names)
            path = Path(made) / f"{number}-{name}"
            path.write_bytes(mutated(chance, files[name], files[chance.choice(names)]))
            reading = corpus.read(path)
            outcomes[str(reading.error["key"]) if reading.error else reading.status] += 1
            slowest, largest = max(slowest, reading.cpu_seconds), max(largest, reading.peak_mb)
            left_out += bool(reading.skipped)
            bugs += any("Traceback" in line or "File " in line for line in reading.logged)
            if why := fault(reading):
                found.broken.append(f"{path.name}: {why} {' '.join(reading.logged)}")
                if keep is not None:
                    (keep / path.name).write_bytes(path.read_bytes())
            path.unlink()
    for outcome, count in outcomes.most_common():
        found.say(outcome, count)
    found.say("with parts left out", left_out)
    found.say("ended a reader's own way", bugs)
    found.say("most CPU, s", f"{slowest:.1f}", f"{SECONDS}")
    found.say("most memory, MB", f"{largest:.0f}", f"{MEMORY // MB}")
    return found


def _files(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.iterdir() if path.is_file()]
    small = [path for path in paths if 4 <= path.stat().st_size <= MAX_BYTES]
    return {path.name: path.read_bytes() for path in small if path.name != "index.json"}


def main() -> None:
    """Run the campaign and print its table; exit with 1 on a violation."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--times", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--keep", type=Path, help="a folder for the files that are read wrongly")
    options = parser.parse_args()
    report = run(options.times, options.seed, options.folder, options.keep)
    print(f"seed {options.seed}\n{report}", flush=True)
    sys.exit(bool(report.broken))


if __name__ == "__main__":
    main()
