"""A file that several of the searched bases have counts once."""

import pytest

from chatapp.core.prompt import Passage
from chatapp.storage.models import File
from tests.support.shelf import Shelf

RULES = "\n\n".join(
    f"# Rule {n}\n\nThe Zanzibar office closes at {n} o'clock on day {n}." for n in range(1, 31)
)
QUESTION = "When does the Zanzibar office close?"


def places(passages: list[Passage]) -> list[tuple[str, int]]:
    return [(passage.md5, passage.start) for passage in passages]


def bases_with(shelf: Shelf, count: int, *names: str) -> list[str]:
    """Make more bases with the same bytes under these names."""
    bases = [shelf.base]
    bases += [shelf.knowledge.create(shelf.user, f"{n}")["id"] for n in range(1, count)]
    for base, name in zip(bases, names or ["rules.md"] * count, strict=True):
        shelf.add(name, RULES, base)
    return bases


@pytest.mark.parametrize("count", [2, 4])
def test_each_passage_of_a_copied_file_is_another_one(shelf: Shelf, count: int) -> None:
    bases = bases_with(shelf, count)
    alone = shelf.search(QUESTION, 30, bases=bases[:1])
    together = shelf.search(QUESTION, 30, bases=bases)
    assert len(alone) == len(set(places(together))) == len(together) == 30
    assert {passage.knowledge_base_id for passage in together} == {shelf.base}
    assert len(shelf.search(QUESTION, 5, bases=bases)) == 5


def test_copies_that_are_read_in_another_way_count_once_too(shelf: Shelf) -> None:
    bases = bases_with(shelf, 2, "rules.md", "rules.txt")
    found = shelf.search(QUESTION, 5, bases=bases)
    assert len({passage.file_id for passage in found}) == 1


def test_neighbours_of_a_copied_file_are_joined(shelf: Shelf) -> None:
    long = "\n\n".join(
        f"Rule {n} of the zebra crossing. " + "More words are here. " * 40 for n in range(6)
    )
    other = shelf.knowledge.create(shelf.user, "other")["id"]
    for base in (shelf.base, other):
        shelf.add("long.txt", long, base)
    alone = shelf.search("zebra crossing", 5, bases=[shelf.base])
    assert places(shelf.search("zebra crossing", 5, bases=[shelf.base, other])) == places(alone)


def test_the_copy_of_a_base_that_is_not_searched_does_not_count(shelf: Shelf) -> None:
    bases = bases_with(shelf, 2)
    shelf.add("other.txt", "The office of Oslo.", bases[1])
    (md5,) = {passage.md5 for passage in shelf.search(QUESTION, 5, bases=bases)}
    found = shelf.search(QUESTION, 5, md5s=[md5], bases=bases[1:])
    assert len(found) == 5 and {one.knowledge_base_id for one in found} == {bases[1]}
    assert len(shelf.search(QUESTION, 30, md5s=[md5], bases=bases)) == 30


def test_a_copy_that_cannot_be_searched_yet_hides_no_other(shelf: Shelf) -> None:
    bases = bases_with(shelf, 2)

    def unfinish(t) -> None:  # type: ignore[no-untyped-def]
        t.query(File).filter(File.knowledge_base_id == shelf.base).update({"status": "indexing"})

    shelf.database.write(unfinish)
    found = shelf.search(QUESTION, 5, bases=bases)
    assert len(found) == 5 and {one.knowledge_base_id for one in found} == {bases[1]}
