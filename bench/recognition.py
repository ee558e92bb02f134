"""Text recognition: accuracy, CPU and memory for dense pages, drawn at 200 dpi.

The text is the manual's prose, in each of the fonts that are installed here (or in BENCH_FONTS, a
copy of /usr/share/fonts). Accuracy is 1 minus the edit distance per character, without blanks and
with full-width forms as half-width ones. CPU includes loading the models. Set BENCH_RAPIDOCR to the
Python of an environment with the package `rapidocr` to measure it beside.
"""

import json
import os
import re
import subprocess
import tempfile
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from bench.tables import Cell, Skipped, Table, say
from chatapp.home import RECOGNITION_FOLDER
from chatapp.knowledge.recognition.sandboxed import RecogniserProcess

DPI, POINTS = 200, 10.5
WIDTH, HEIGHT = round(8.27 * DPI), round(11.69 * DPI)  # A4
MARGIN, GUTTER = DPI, DPI // 3
LEADING = 1.45
FONTS = Path(os.environ.get("BENCH_FONTS", "/usr/share/fonts"))
# Language, file, number in the file, columns; Debian: fonts-noto-cjk, fonts-wqy-zenhei,
# fonts-arphic-uming, fonts-arphic-ukai, fonts-dejavu, fonts-liberation, fonts-crosextra-carlito.
PAGES = (
    ("zh", "opentype/noto/NotoSansCJK-Regular.ttc", 2, 1),
    ("zh", "opentype/noto/NotoSerifCJK-Regular.ttc", 2, 1),
    ("zh", "truetype/wqy/wqy-zenhei.ttc", 0, 2),
    ("zh", "truetype/arphic/uming.ttc", 0, 1),
    ("zh", "truetype/arphic/ukai.ttc", 0, 1),
    ("en", "truetype/liberation/LiberationSerif-Regular.ttf", 0, 1),
    ("en", "truetype/crosextra/Carlito-Regular.ttf", 0, 2),
    ("en", "truetype/dejavu/DejaVuSans.ttf", 0, 1),
    ("en", "truetype/dejavu/DejaVuSerif.ttf", 0, 2),
    ("en", "truetype/dejavu/DejaVuSansMono.ttf", 0, 1),
)
MANUALS = {"zh": Path("docs/manual/zh-CN.md"), "en": Path("docs/manual/en.md")}
LEAST_PROSE = {"zh": 0.75, "en": 0.7}  # share of Chinese characters, or letters, in a paragraph
OTHER = """
import json, resource, sys, time
from rapidocr import RapidOCR
import cv2
cv2.setNumThreads(1)
one = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}
read = RapidOCR(params={**one, "Global.log_level": "error"})
for path in sys.argv[1:]:
    began = time.process_time()
    text = "\\n".join(read(path).txts or ())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps([text, time.process_time() - began, peak]), flush=True)
"""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A page: language, font, columns, its text line by line, its picture."""

    language: str
    font: str
    columns: int
    text: str
    path: Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a recogniser made of a page: text, seconds of CPU, megabytes at most so far."""

    text: str
    seconds: float
    peak: int


def measure() -> Iterator[Table]:
    """Yield a table with a row for each page."""
    if not (RECOGNITION_FOLDER / "model.json").is_file():
        raise Skipped("The models of text recognition are missing. `make run` installs them.")
    other = os.environ.get("BENCH_RAPIDOCR")
    with tempfile.TemporaryDirectory(prefix="chatapp-bench-") as folder:
        pages = list(_pages(Path(folder)))
        say(f"{len(pages)} pages are drawn")
        ours = list(_ours(pages))
        theirs = list(_theirs(other, pages)) if other else [None] * len(pages)
    rows: list[tuple[Cell, ...]] = []
    for language, group in groupby(
        zip(pages, ours, theirs, strict=True), lambda each: each[0].language
    ):
        of_language = list(group)
        rows += [
            (language, page.font, page.columns, *_figures(page, own), *_figures(page, its))
            for page, own, its in of_language
        ]
    columns = ("page", "font", "columns", "accuracy %", "CPU s", "peak MB")
    yield Table(
        "Text recognition", (*columns, "rapidocr %", "its CPU s", "its peak MB"), tuple(rows)
    )


def _figures(page: Drawn, outcome: Outcome | None) -> tuple[Cell, ...]:
    if outcome is None:
        return None, None, None
    return 100 * accuracy(page.text, outcome.text), outcome.seconds, outcome.peak


def accuracy(expected: str, found: str) -> float:
    """Return 1 minus the edit distance for each expected character."""
    wanted, got = (
        "".join(unicodedata.normalize("NFKC", text).split()) for text in (expected, found)
    )
    row = list(range(len(got) + 1))
    for number, character in enumerate(wanted, 1):
        above, row = row, [number]
        for place, other in enumerate(got, 1):
            changed = above[place - 1] + (character != other)
            row.append(min(changed, above[place] + 1, row[-1] + 1))
    return 1 - row[-1] / len(wanted)


def _ours(pages: list[Drawn]) -> Iterator[Outcome]:
    process = RecogniserProcess(RECOGNITION_FOLDER, 100)
    try:
        for page in pages:  # a process for each, as for files that are uploaded
            read = process.read(page.path, 1, lambda: None)
            seconds, peak = process.used()
            yield Outcome(read["text"], seconds, peak)
    finally:
        process.close()


def _theirs(python: str, pages: list[Drawn]) -> Iterator[Outcome]:
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [python, "-P", "-c", OTHER, *(str(page.path) for page in pages)]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **one}
    )
    for line in done.stdout.splitlines():
        yield Outcome(*json.loads(line))


# --- pages


def _pages(folder: Path) -> Iterator[Drawn]:
    for number, (language, file, face, columns) in enumerate(PAGES):
        if (FONTS / file).exists():
            font = ImageFont.truetype(FONTS / file, round(POINTS * DPI / 72), index=face)
            picture, text = _draw(language, font, columns, skip=7 * number)
            path = folder / f"{number}.png"
            picture.save(path, dpi=(DPI, DPI))
            yield Drawn(language, Path(file).stem, columns, text, path)


def _draw(
    language: str, font: ImageFont.FreeTypeFont, columns: int, skip: int
) -> tuple[Image.Image, str]:
    """Fill a page with prose; return its picture and its text, line by line."""
    picture = Image.new("L", (WIDTH, HEIGHT), 255)
    pen = ImageDraw.Draw(picture)
    width = (WIDTH - 2 * MARGIN - GUTTER * (columns - 1)) // columns
    leading = round(font.size * LEADING)
    column, top = 0, MARGIN
    drawn: list[str] = []
    prose = _prose(language)
    for paragraph in prose[skip:] + prose[:skip]:
        for line in _wrapped(paragraph, font, width):
            if top + leading > HEIGHT - MARGIN:
                column, top = column + 1, MARGIN
                if column == columns:
                    return picture, "\n".join(drawn)
            pen.text((MARGIN + column * (width + GUTTER), top), line, font=font, fill=0)
            drawn.append(line)
            top += leading
        top += leading // 2
    return picture, "\n".join(drawn)


def _prose(language: str) -> list[str]:
    """Return the manual's paragraphs without code, lists and markup."""
    text = re.sub(r"```.*?```", "", MANUALS[language].read_text("utf-8"), flags=re.DOTALL)
    paragraphs = [" ".join(each.split()) for each in text.split("\n\n")]
    plain = [
        re.sub(r"[*`]|\[|\]\([^)]*\)", "", each) for each in paragraphs if each[:1] not in "#|-<"
    ]
    prose = "[\u4e00-\u9fff\u3000-\u303f\uff00-\uffef]" if language == "zh" else "[A-Za-z]"
    return [
        each
        for each in plain
        if len(each) > 40 and len(re.findall(prose, each)) > LEAST_PROSE[language] * len(each)
    ]


def _wrapped(paragraph: str, font: ImageFont.FreeTypeFont, width: int) -> Iterator[str]:
    line = ""
    for unit in re.findall(r"[!-~]{1,24}\s*|.", paragraph):
        if line and font.getlength((line + unit).rstrip()) > width:
            yield line.rstrip()
            line = ""
        line += unit
    yield line.rstrip()
