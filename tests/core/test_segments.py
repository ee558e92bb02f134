"""Splitting by meaning, from given likenesses: sizes, sections and offsets."""

import random

import pytest

from chatapp.core.segments import LEAST_TOKENS, is_divisible, sections_of, segment
from chatapp.core.text import CHUNK_TOKENS, Span, count_tokens

SENTENCE = "The pump is switched off before the cover is removed. "  # 13 tokens
CHINESE = "拆下盖子以前必须先关闭水泵，并且检查密封圈有没有裂纹。"  # 27 tokens


def alike(sections: list[list[Span]], *breaks: int) -> list[list[float | None]]:
    """Return likenesses of .8, of .1 at these sentences of the first section."""
    likeness: list[list[float | None]] = [[0.8] * len(units) for units in sections]
    for place in breaks:
        likeness[0][place] = 0.1
    return likeness


def test_chunks_end_where_the_meaning_changes() -> None:
    text = SENTENCE * 24
    sections = sections_of(text)
    [units] = sections
    assert len(units) == 24
    chunks = segment(text, sections, alike(sections, 7, 15))
    assert [chunk.start for chunk in chunks] == [units[0].start, units[7].start, units[15].start]
    assert [chunk.end for chunk in chunks] == [units[6].end, units[14].end, units[23].end]


@pytest.mark.parametrize("sentence", [SENTENCE, CHINESE])
def test_every_chunk_has_a_least_and_a_most_size(sentence: str) -> None:
    chance = random.Random(3)
    text = "".join(sentence * chance.randint(1, 4) + "\n\n" for _ in range(60))
    sections = sections_of(text)
    likeness: list[list[float | None]] = [[chance.random() for _ in units] for units in sections]
    sizes = [
        count_tokens(text[chunk.start : chunk.end]) for chunk in segment(text, sections, likeness)
    ]
    assert len(sizes) > 5
    assert min(sizes) >= LEAST_TOKENS and max(sizes) <= CHUNK_TOKENS


def test_nothing_but_blanks_is_left_out_and_nothing_is_repeated() -> None:
    chance = random.Random(5)
    text = "".join(
        chance.choice([SENTENCE, CHINESE, "\n\n", "- an item\n", "  indented\n", "x" * 1500, "? "])
        for _ in range(300)
    )
    hard = sorted(chance.sample(range(len(text)), 9))
    sections = sections_of(text, hard)
    likeness: list[list[float | None]] = [[chance.random() for _ in units] for units in sections]
    chunks = segment(text, sections, likeness)
    kept = "".join(text[chunk.start : chunk.end] for chunk in chunks)
    assert "".join(kept.split()) == "".join(text.split())
    assert all(one.end <= other.start for one, other in zip(chunks, chunks[1:], strict=False))
    assert not any(chunk.start < edge < chunk.end for chunk in chunks for edge in hard)
    assert max(count_tokens(text[chunk.start : chunk.end]) for chunk in chunks) <= CHUNK_TOKENS


def test_a_text_of_one_meaning_is_divided_only_for_its_size() -> None:
    text = SENTENCE * 24
    sections = sections_of(text)
    assert len(segment(text, sections, alike(sections))) == 2
    short = SENTENCE * 12
    assert len(segment(short, sections_of(short), alike(sections_of(short)))) == 1


def test_unknown_likenesses_count_as_the_mean() -> None:
    text = SENTENCE * 24
    sections = sections_of(text)
    likeness = alike(sections, 10)
    likeness[0][4] = likeness[0][5] = None
    chunks = segment(text, sections, likeness)
    assert [chunk.start for chunk in chunks] == [0, sections[0][10].start]
    nothing: list[list[float | None]] = [[None] * 24]
    assert len(segment(text, sections, nothing)) == 2


def test_only_sections_with_room_for_two_chunks_need_vectors() -> None:
    text = SENTENCE * 8
    assert not is_divisible(text, sections_of(text)[0])
    text = SENTENCE * 12
    assert is_divisible(text, sections_of(text)[0])


def test_a_chunk_keeps_the_indentation_of_its_first_line() -> None:
    text = "def one():\n    return 1\n\n    # more\n    return 2\n"
    assert [text[unit.start : unit.end] for unit in sections_of(text)[0]] == [
        "def one():",
        "    return 1",
        "    # more",
        "    return 2",
    ]
