"""Neighbouring chunks become one passage, and later passages take the places that are free."""

from tests.support.shelf import Shelf

SENTENCE = "Annual leave of employees is agreed with the team two weeks ahead of time. "


def two_chunks(sentences: int = 10) -> str:
    return "\n\n".join([SENTENCE * sentences] * 2)


def test_the_place_of_a_joined_passage_is_filled(shelf: Shelf) -> None:
    shelf.add("long.txt", two_chunks())
    for n in range(4):
        shelf.add(f"short-{n}.txt", f"Annual leave of group {n} is twenty days.")
    found = shelf.search("annual leave of employees", k=4)
    lengths = {passage.name: len(passage.text) for passage in found}
    assert len(found) == 4 and lengths["long.txt"] > 1200, "both chunks are one passage"
    assert len(lengths) == 4


def test_places_are_not_filled_beyond_a_total_length(shelf: Shelf) -> None:
    for n in range(2):
        shelf.add(f"long-{n}.txt", f"{two_chunks(13)}\n\n{n}")
    found = shelf.search("annual leave of employees agreed with the team", k=3)
    assert [passage.name for passage in found] == ["long-0.txt", "long-1.txt"]
    assert sum(len(passage.text) for passage in found) <= 3 * 4 * 272
