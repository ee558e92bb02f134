"""Passwords that are too easy to guess."""

import pytest

from chatapp.core.passwords import COMMON, weakness


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("1234567", "short"),
        ("å" * 7, "short"),
        ("x y" * 334, "long"),
        ("password", "common"),
        ("Password1", "common"),
        ("QWERTYUIOP", "common"),
        ("0123456789", "common"),
        ("87654321", "common"),
        ("aaaaaaaa", "repeated"),
        (" " * 8, "repeated"),
        ("Ada Lovelace", "name"),
        ("correct horse battery", None),
        ("x" * 999 + "y", None),
        ("密码密码密码密码", None),
        ("12345678 apples", None),
    ],
)
def test_what_is_easy_to_guess_is_refused(password: str, why: str | None) -> None:
    assert weakness(password, "ada lovelace") == why


def test_the_list_has_3000_passwords_of_the_length_that_is_required() -> None:
    lines = COMMON.read_text(encoding="utf-8").splitlines()
    words = [line for line in lines if not line.startswith("#!")]
    assert len(set(words)) == 3000
    assert all(len(word) >= 8 and word == word.casefold() for word in words)
