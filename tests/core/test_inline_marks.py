"""Quotes are prose: without the marks of Markdown and HTML."""

import pytest

from chatapp.core.inline_marks import without_marks


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("**Twenty** days, *not* more.", "Twenty days, not more."),
        ("__Twenty__ days, _not_ more.", "Twenty days, not more."),
        ("**Leave: twenty days.", "Leave: twenty days."),
        ("of ***all*** ~~ten~~ days**", "of all ten days"),
        ("见[《员工手册》](docs/a_(1).md)第三章。", "见《员工手册》第三章。"),
        ("see [the rules][1] and ![a picture](x.png)", "see the rules and a picture"),
        ("Costs 20 €[^2] a day.", "Costs 20 € a day."),
        ("Press <kbd>Ctrl</kbd>+<kbd>C</kbd> now.", "Press Ctrl+C now."),
        ('one<br>two <span style="color: red">red</span>', "one two red"),
        ("<!-- hidden --> shown <!-- open", " shown "),
        ("Tom &amp; Jerry, 5&nbsp;&lt; 6", "Tom & Jerry, 5\u00a0< 6"),
        ("Run `make **run**` or ``a`b``.", "Run `make **run**` or ``a`b``."),
        ("<https://example.org/a_b_c>", "https://example.org/a_b_c"),
        (r"5 \* 3 and \_name\_", "5 * 3 and _name_"),
        ("snake_case_name, 2 * 3 * 4, a*b*c", "snake_case_name, 2 * 3 * 4, a*b*c"),
        ("if a < b and c > d", "if a < b and c > d"),
        ("3*4", "3*4"),
        ("__init__.py and dunder__name", "init.py and dunder__name"),
    ],
)
def test_marks_are_left_out(text: str, plain: str) -> None:
    assert without_marks(text) == plain


@pytest.mark.parametrize("mark", ["*", "[", "<", "`", "![(", "_ ", "<a ", "&", "](", "[^"])
def test_a_text_of_marks_takes_no_time(mark: str) -> None:
    assert len(without_marks(mark * 1000)) <= 3000
