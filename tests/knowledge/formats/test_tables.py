"""Tables as text: which row is the header, and how a cell shows a number."""

import pytest

from chatapp.knowledge.formats.cell_formats import formatter, general
from chatapp.knowledge.formats.regions import one_below_another
from chatapp.knowledge.formats.tables import Row, paragraphs


def cells(*lines: tuple[str, ...]) -> list[Row]:
    return [{column: cell for column, cell in enumerate(line) if cell} for line in lines]


def rows(*lines: tuple[str, ...], header: int | None = None) -> list[str]:
    return list(paragraphs(cells(*lines), header))


def sheet(*lines: tuple[str, ...]) -> list[str]:
    """Return a sheet's rows, in which tables may stand side by side."""
    return list(paragraphs(one_below_another(cells(*lines))))


def test_a_header_of_two_rows_is_merged() -> None:
    expected = ["Region: North · 2023 Q1: 1 · 2023 Q2: 2 · 2024 Q1: 3 · 2024 Q2: 4"]
    assert (
        rows(
            ("Region", "2023", "", "2024", ""),
            ("", "Q1", "Q2", "Q1", "Q2"),
            ("North", "1", "2", "3", "4"),
        )
        == expected
    )
    assert (
        rows(
            ("", "2023", "", "2024", ""),
            ("Region", "Q1", "Q2", "Q1", "Q2"),
            ("North", "1", "2", "3", "4"),
        )
        == expected
    )


def test_years_may_head_columns() -> None:
    assert rows(("Town", "2023", "2024"), ("Bonn", "11", "12")) == [
        "Town: Bonn · 2023: 11 · 2024: 12"
    ]


def test_after_a_gap_a_table_continues_or_another_begins() -> None:
    more = rows(
        ("Town", "Days", "Head"),
        ("Bonn", "27", "Ada"),
        (),
        ("Ulm", "28", "Bob"),
        (),
        ("Name", "Role"),
        ("Ada", "1"),
        ("Bob", "2"),
    )
    assert more == [
        "Town: Bonn · Days: 27 · Head: Ada",
        "Town: Ulm · Days: 28 · Head: Bob",
        "Name: Ada · Role: 1",
        "Name: Bob · Role: 2",
    ]
    assert rows(("Town", "Days", "Head"), ("Bonn", "27", "Ada"), (), ("a remark",)) == [
        "Town: Bonn · Days: 27 · Head: Ada",
        "a remark",
    ]


def test_units_below_a_header_belong_to_it() -> None:
    assert rows(
        ("Product", "Sales", "Growth", "Weight"),
        ("", "", "(per year)", ""),
        ("", "€ m", "%", "kg"),
        ("Pens", "12", "3", "4"),
    ) == ["Product: Pens · Sales € m: 12 · Growth (per year) %: 3 · Weight kg: 4"]
    assert rows(("产品", "销售额", "数量"), ("", "万元", "件"), ("笔", "12", "3")) == [
        "产品: 笔 · 销售额 万元: 12 · 数量 件: 3"
    ]


def test_words_below_a_header_are_its_body() -> None:
    assert rows(("Sign", "Name", "Use"), ("Pen", "m", "Paper"), ("Ink", "Blue", "Pens")) == [
        "Sign: Pen · Name: m · Use: Paper",
        "Sign: Ink · Name: Blue · Use: Pens",
    ]


def test_a_header_repeated_on_each_printed_page_is_left_out() -> None:
    header, filler = ("Town", "2023", "2024"), [("Ulm", "1", "2")] * 40
    assert (
        rows(header, ("Bonn", "3", "4"), header, ("", "2023", "2024"), *filler, header)
        == ["Town: Bonn · 2023: 3 · 2024: 4"] + ["Town: Ulm · 2023: 1 · 2024: 2"] * 40
    )


def test_tables_side_by_side_are_separate() -> None:
    assert sheet(
        ("Offices", "", "", "", "", ""),
        ("Town", "Days", "", "Product", "Price", "Stock"),
        ("Bonn", "27", "", "Pen", "2", "90"),
        ("Ulm", "28", "", "Ink", "5", "40"),
        ("", "", "", "Cap", "9", "10"),
    ) == [
        "Offices",
        "Town: Bonn · Days: 27",
        "Town: Ulm · Days: 28",
        "Product: Pen · Price: 2 · Stock: 90",
        "Product: Ink · Price: 5 · Stock: 40",
        "Product: Cap · Price: 9 · Stock: 10",
    ]


def test_long_tables_side_by_side_are_separate() -> None:
    lines = [("Town", "Days", "Head", "", "Year", "Sales", "Costs")]
    lines += [(f"Town {n}", f"{n}", "Ada", "", f"{1900 + n}", "7", "8") for n in range(99)]
    found = sheet(*lines, (), ("A remark",))
    assert found[98] == "Town: Town 98 · Days: 98 · Head: Ada"
    assert found[99] == "Year: 1900 · Sales: 7 · Costs: 8" and found[-1] == "A remark"


def test_an_empty_column_within_a_table_does_not_end_it() -> None:
    assert sheet(
        ("Zone", "", "Sales", "Profit", "", "Sales", "Profit"),
        ("North", "", "12", "3", "", "14", "4"),
        ("South", "", "22", "5", "", "23", "6"),
    ) == [
        "Zone: North · Sales: 12 · Profit: 3 · Sales: 14 · Profit: 4",
        "Zone: South · Sales: 22 · Profit: 5 · Sales: 23 · Profit: 6",
    ]


def test_an_empty_row_below_a_header_does_not_end_its_table() -> None:
    body = ("Bonn", "27", "3"), ("Ulm", "28", "4")
    expected = ["Town: Bonn · Days: 27 · Staff: 3", "Town: Ulm · Days: 28 · Staff: 4"]
    header = ("Town", "Days", "Staff")
    assert sheet(header, (), *body) == expected
    assert sheet(("Offices",), header, (), (), *body) == ["Offices", *expected]
    assert sheet((), ("", "Days", "Staff"), (), *body) == [
        "Bonn · Days: 27 · Staff: 3",
        "Ulm · Days: 28 · Staff: 4",
    ]
    texts = ("Bonn", "Ada", "North"), ("Ulm", "Bob", "South")
    assert (
        sheet(("Town", "Head", "Region"), (), *texts)[0] == "Town: Bonn · Head: Ada · Region: North"
    )


def test_a_line_above_another_table_is_not_its_header() -> None:
    assert sheet(
        ("Draft", "For the board"), (), ("Town", "Days"), ("Bonn", "27"), ("Ulm", "28")
    ) == [
        "Draft: For the board",
        "Town: Bonn · Days: 27",
        "Town: Ulm · Days: 28",
    ]
    assert sheet(("Town", "Days", "Staff")) == ["Town · Days · Staff"]
    assert sheet((), (), ("a",), (), (), ("b",)) == ["a", "b"]


def test_a_table_of_numbers_has_no_header() -> None:
    assert rows(("1", "2", "3"), ("4", "5", "6")) == ["1 · 2 · 3", "4 · 5 · 6"]


def test_a_header_alone_is_kept() -> None:
    assert rows(("Town", "Days", "Head")) == ["Town · Days · Head"]
    assert rows(("Town", "Days"), header=1) == ["Town · Days"]


@pytest.mark.parametrize(
    ("code", "value", "shown"),
    [
        ("General", 0.1 + 0.2, "0.3"),
        ("General", 1e15, "1e+15"),
        ("0", 3.7, "4"),
        ("0.00", 1.005, "1.01"),
        ("#,##0.00", -1234567.891, "-1,234,567.89"),
        ("0.0%", 0.125, "12.5%"),
        ('#,##0.00\\ "€"', 5, "5.00 €"),
        ("[$¥-804]#,##0", 1200, "¥1,200"),
        ("#,##0.00_);[Red](#,##0.00)", -12.5, "(12.50)"),
        ('_-* #,##0.00\\ _€_-;\\-* #,##0.00\\ _€_-;_-* "-"??\\ _€_-;_-@_-', 0, "-"),
        ("00000", 123, "00123"),
        ("0.00E+00", 12345, "1.23E+04"),
        ("# ?/?", 0.5, "0.5"),
        ("#,##0,", 1234567, "1,235"),
        ("0.##", 2, "2"),
        ('0" units"', 5, "5 units"),
        ("@", 5, "5"),
        ("m/d/yyyy", 45356, "2024-03-05"),
        ("dd.mm.yyyy hh:mm", 45356.75, "2024-03-05 18:00"),
        ("yyyy-mm", 45356, "2024-03"),
        ("d mmmm yyyy", 45356, "5 March 2024"),
        ("[$-409]dddd, mmmm d, yyyy", 45356, "Tuesday, March 5, 2024"),
        ('yyyy"年"m"月"d"日"', 45356, "2024年3月5日"),
        ("h:mm AM/PM", 0.75, "18:00"),
        ("h:mm:ss", 0.75, "18:00:00"),
        ("[h]:mm", 1.5, "36:00"),
        ("mm:ss", 0.01, "14:24"),
        ("yyyy-mm-dd", 1, "1900-01-01"),
        ("yyyy-mm-dd", 9e9, "9000000000"),
    ],
)
def test_a_number_is_formatted_as_in_its_cell(code: str, value: float, shown: str) -> None:
    assert formatter(code)(value) == shown


def test_dates_of_old_mac_files_count_from_1904() -> None:
    assert formatter("yyyy-mm-dd", True)(43894) == "2024-03-05"


def test_a_number_without_a_format_is_short() -> None:
    assert [general(value) for value in (3.0, -2.5, 1 / 3)] == ["3", "-2.5", "0.333333333333"]
