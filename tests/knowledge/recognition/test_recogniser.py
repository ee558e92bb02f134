"""Text recognition with the real models, on small pages."""

import pytest
from PIL import Image

from chatapp.home import MODELS
from chatapp.knowledge.recognition.recogniser import Page, Recogniser
from tests.support.pictures import needs_chinese, needs_models, page

pytestmark = needs_models

ENGLISH = (
    "Employees get fifteen days of paid leave",
    "each year. Unused days expire in March.",
)
CHINESE = ("每位员工每年享有十五天带薪年假，年假应", "当在当年休完，确有困难的可以顺延。")
SENTENCE = "Employees get fifteen days of paid leave each year. Unused days expire in March."


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser(MODELS / "pp-ocrv6-small")


def test_english_words_are_separated_by_blanks(recogniser: Recogniser) -> None:
    read = recogniser.read(page(ENGLISH))
    assert (read.text, read.turned) == (SENTENCE, 0)
    assert [read.text[line.start : line.end] for line in read.lines] == list(ENGLISH)


@needs_chinese
def test_chinese_characters_are_not(recogniser: Recogniser) -> None:
    assert recogniser.read(page(CHINESE)).text == "".join(CHINESE)


def test_the_box_of_a_line_is_where_it_stands(recogniser: Recogniser) -> None:
    picture = page(["Keys are kept at the desk."], size=(800, 500), at=(200, 250), points=40)
    (line,) = recogniser.read(picture).lines
    left, top, right, bottom = line.box
    assert abs(left - 200 / 800) < 0.03 and 0.78 < right < 0.95
    assert 0.48 < top < 0.53 and 0.57 < bottom < 0.62


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_page_that_was_scanned_turned_is_read_upright(recogniser: Recogniser, turn: int) -> None:
    upright = page(ENGLISH, size=(800, 300))
    first = recogniser.read(upright)
    turned = recogniser.read(upright.rotate(turn, expand=True))
    assert (turned.text, turned.turned) == (SENTENCE, turn)
    for line, same in zip(turned.lines, first.lines, strict=True):
        assert line.box == pytest.approx(same.box, abs=0.02)


def test_a_page_that_was_scanned_askew(recogniser: Recogniser) -> None:
    askew = page(ENGLISH).rotate(-2, Image.Resampling.BICUBIC, fillcolor="white")
    assert recogniser.read(askew).text == SENTENCE


def test_two_columns(recogniser: Recogniser) -> None:
    left, right = (
        ("This is the left one of two", "columns, and it is read before", "the other one begins."),
        (
            "The right column stands",
            "beside it and is read only",
            "after the left one ended.",
        ),
    )
    picture = page(left, size=(1100, 300))
    read = recogniser.read(page(right, at=(600, 30), onto=picture))
    assert read.text == f"{' '.join(left)}\n\n{' '.join(right)}"


@pytest.mark.parametrize("mode", ["1", "L", "RGBA", "CMYK"])
def test_any_kind_of_picture(recogniser: Recogniser, mode: str) -> None:
    read = recogniser.read(page(["Keys are kept at the desk."]).convert(mode))
    assert read.text == "Keys are kept at the desk."


@pytest.mark.parametrize("size", [(1, 1), (3000, 2), (600, 400)])
def test_a_picture_without_text(recogniser: Recogniser, size: tuple[int, int]) -> None:
    assert recogniser.read(Image.new("RGB", size, "white")) == Page("", (), 0)
    noise = Image.effect_noise(size, 90)
    assert len(recogniser.read(noise).text) < 10
