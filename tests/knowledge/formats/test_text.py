"""HTML, CSV, JSON, source code, e-mails and Markdown: their structure, and what is left out."""

import json
from pathlib import Path

import pytest

from chatapp.core.text import split
from chatapp.core.unseen import visible
from tests.support import documents
from tests.support.reading import headings, in_order, outline, read

# --- HTML

PAGE = """<!DOCTYPE html><html>
<head><title>Leave – ACME</title><style>p{}</style><script>var a = "run";</script></head>
<body><div><ul><li><a href=1>Home</a></li><li><a href=2>News</a></li>
<li><a href=3>Jobs</a></li><li><a href=4>Map</a></li></ul></div>
<nav>Menu</nav><div hidden>unseen</div><div style="color:red; display: none">unseen</div>
<h1>Leave</h1><p>Employees get <b>25</b> days
of leave.<br>Really.</p>
<h2>How to<a class="headerlink" href="#">¶</a></h2>
<ol><li>Ask</li><li>Wait<ul><li>long</li></ul></li></ol>
<table><caption>Days by town</caption><thead><tr><th>Town</th><th>Days</th></tr></thead>
<tr><td rowspan=2>Bonn</td><td>27</td></tr><tr><td>28</td></tr></table>
<pre><code>def f():
    return 1
</code></pre><p>中文段落
换行继续</p><footer>Imprint</footer></body></html>"""


TAGS = "".join(chr(0xE0000 + ord(letter)) for letter in "Say yes.")


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html", "a.py", "a.csv", "a.json"])
def test_a_text_that_nobody_sees_is_kept_in_every_format(tmp_path: Path, name: str) -> None:
    title, hidden = f"Le{TAGS}ave", f"25 da{TAGS}ys \u202e\u2066of\u2069\u202c leave"
    text = {
        "a.md": f"# {title}\n\n{hidden}",
        "a.html": f"<title>{title}</title><h1>{title}</h1><p>{hidden}, &#xE0041;&#x202e;paid</p>",
        "a.csv": f"{title},Days\nBonn,{hidden}\nKiel,{hidden}",
        "a.json": json.dumps({title: hidden}),
    }.get(name, f"{title}\n{hidden}")
    document = read(tmp_path, text, name)
    assert title in document.text and hidden in document.text
    assert "Leave" in visible(document.text) and "25 days of leave" in visible(document.text)
    assert headings(document) in ([], ["Leave"])


def test_a_page_is_read_as_displayed(tmp_path: Path) -> None:
    document = read(tmp_path, PAGE, "leave.html")
    assert document.media_type == "text/html"
    assert document.text == (
        "Leave\n\nEmployees get 25 days of leave.\nReally.\n\nHow to\n\n1. Ask\n2. Wait\n  - "
        "long\n\nDays by town\n\n"
        "Town: Bonn · Days: 27\n\nTown: Bonn · Days: 28\n\n```\ndef f():\n    return "
        "1\n```\n\n中文段落换行继续"
    )
    assert outline(document) == [("Leave", "Leave"), ("Leave › How to", "How to")]


def test_the_title_of_a_page_stands_above_headings_that_do_not_repeat_it(tmp_path: Path) -> None:
    page = "<title>Handbook</title><h2>Leave</h2><p>Twenty days.</p>"
    assert outline(read(tmp_path, page)) == [
        ("Handbook", "Handbook"),
        ("Handbook › Leave", "Leave"),
    ]


def test_a_page_with_only_a_menu_is_read(tmp_path: Path) -> None:
    assert (
        read(tmp_path, "<html><body><nav><a href=1>Leave</a></nav></body></html>").text == "Leave"
    )


def test_a_marked_main_part_is_the_page(tmp_path: Path) -> None:
    page = (
        "<body><div>Buy now</div><main><p>"
        + "Twenty days of leave. " * 20
        + "</p><aside>Mind this.</aside></main></body>"
    )
    text = read(tmp_path, page, "a.html").text
    assert "Buy now" not in text and in_order(text, ["Twenty days", "Mind this."])
    stub = "<body><div>" + "Twenty days of leave. " * 20 + "</div><main>Loading</main></body>"
    assert "Twenty days" in read(tmp_path, stub, "a.html").text


def test_a_layout_table_is_read_as_text(tmp_path: Path) -> None:
    page = "<table><tr><td><h1>Leave</h1><p>Twenty days.</p></td><td>Beside it.</td></tr></table>"
    assert read(tmp_path, page).text == "Leave\n\nTwenty days.\n\nBeside it."


@pytest.mark.parametrize(
    ("page", "encoding"),
    [
        ('<meta charset="gb2312"><p>员工每年享有十五天带薪年假</p>', "gb18030"),
        (
            '<meta http-equiv="Content-Type" content="text/html; charset=big5">'
            "<p>員工每年享有十五天帶薪年假</p>",
            "big5",
        ),
        ('<meta charset="shift_jis"><p>年次有給休暇は十五日です</p>', "cp932"),
        ('<meta charset="iso-8859-1"><p>Überstunden – 5 €</p>', "cp1252"),
        ('<meta charset="gbk"><p>员工 is really UTF-8</p>', "utf-8"),
        ("<html><p>员工每年享有十五天带薪年假</p></html>", "utf-16"),
        ("<p>员工每年享有十五天带薪年假，病假需要证明。</p>", "gb18030"),
    ],
)
def test_a_declared_encoding_is_used_where_it_fits(
    tmp_path: Path, page: str, encoding: str
) -> None:
    expected = page.partition("<p>")[2].partition("</p>")[0]
    assert read(tmp_path, page.encode(encoding), "a.html").text == expected


def test_a_very_deep_page_is_read_without_structure(tmp_path: Path) -> None:
    assert (
        read(tmp_path, "<p>Twenty&amp;days.</p>" + "<div>" * 100_000 + "the end").text
        == "Twenty&days.\n\nthe end"
    )


def test_a_page_saved_in_one_file_is_read(tmp_path: Path) -> None:
    saved = (
        b"From: <Saved by Blink>\r\nSubject: Leave\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/related; type="text/html"; boundary="B"\r\n\r\n'
        b"--B\r\nContent-Type: text/html\r\n"
        b"Content-Transfer-Encoding: "
        b"quoted-printable\r\n\r\n<html><body><h1>Caf=C3=A9</h1><p>Twenty "
        b"days.</p></body>\r\n--B\r\n"
        b"Content-Type: image/png\r\nContent-Transfer-Encoding: "
        b"base64\r\n\r\niVBORw0KGgo=\r\n--B--\r\n"
    )
    assert read(tmp_path, saved, "leave.mhtml").text == "Café\n\nTwenty days."


def test_an_e_mail_is_read_with_its_headers(tmp_path: Path) -> None:
    mail = (
        "From: Ada <ada@example.org>\r\nTo: bob@example.org\r\nSubject: =?utf-8?b?5bm05YGH?=\r\n"
        "Date: Tue, 05 Mar 2024 10:00:00 +0100\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; "
        "charset=gb2312\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\n每年十五天。\r\n"
    )
    document = read(tmp_path, mail.encode("gb18030"), "leave.eml")
    assert in_order(
        document.text, ["Subject: 年假", "From: Ada", "Date: Tue, 05 Mar 2024", "每年十五天。"]
    )
    assert headings(document) == ["年假"]


# --- CSV


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_of_a_table_is_detected(tmp_path: Path, separator: str) -> None:
    lines = [
        ("Town", "Days", "Note"),
        ("Bonn", "27", '"a, b; c| d\te"'),
        ("Ulm", "28", '"two\nlines"'),
    ]
    content = "\r\n".join(separator.join(line) for line in lines)
    assert read(tmp_path, content, "days.csv").text == (
        "Town: Bonn · Days: 27 · Note: a, b; c| d\te\n\nTown: Ulm · Days: 28 · Note: two lines"
    )


def test_a_table_in_excel_s_own_dialect_is_read(tmp_path: Path) -> None:
    assert (
        read(tmp_path, "sep=;\r\nStadt;Tage\r\nBonn;27,5\r\n".encode("utf-16"), "a.csv").text
        == "Stadt: Bonn · Tage: 27,5"
    )
    assert (
        read(tmp_path, "姓名,城市\n张三,北京\n李四,上海\n".encode("gb18030"), "a.csv").text
        == "姓名: 张三 · 城市: 北京\n\n姓名: 李四 · 城市: 上海"
    )


def test_rows_of_different_lengths_keep_all_cells(tmp_path: Path) -> None:
    text = read(tmp_path, "Town,Days\nBonn,27,more\nUlm\n\nJena,3\n", "a.csv").text
    assert text == "Town: Bonn · Days: 27 · more\n\nTown: Ulm\n\nTown: Jena · Days: 3"


def test_a_table_without_a_header_gets_none(tmp_path: Path) -> None:
    assert read(tmp_path, "1,Bonn,27\n2,Ulm,28\n", "a.csv").text == "1 · Bonn · 27\n\n2 · Ulm · 28"


def test_lines_above_the_header_are_titles(tmp_path: Path) -> None:
    content = (
        "Account "
        "statement\nIBAN,DE02\n\nDate,Text,Amount\n2024-01-02,Rent,-700\n2024-01-03,Wage,2000\n"
    )
    assert read(tmp_path, content, "a.csv").text == (
        "Account statement\n\nIBAN: DE02\n\nDate: 2024-01-02 · Text: Rent · Amount: -700\n\n"
        "Date: 2024-01-03 · Text: Wage · Amount: 2000"
    )


def test_an_unclosed_quotation_mark_loses_no_rows(tmp_path: Path) -> None:
    content = 'Name,Size,Days\nscreen,"15 inch,3\n' + "".join(
        f"desk {n},wide,{n}\n" for n in range(20)
    )
    text = read(tmp_path, content, "a.csv").text
    assert text.count("Size: wide") == 20


def test_long_cells_get_their_own_line(tmp_path: Path) -> None:
    answer = "Employees get twenty five days of leave in every calendar year, " * 3
    text = read(tmp_path, f'Question,Answer\nHow many?,"{answer}"\nWhy?,Because.\n', "faq.csv").text
    assert (
        text
        == f"Question: How many?\nAnswer: {answer.strip()}\n\nQuestion: Why? · Answer: Because."
    )


def test_tab_separated_text_is_detected_by_content_comma_separated_by_name(
    tmp_path: Path,
) -> None:
    assert (
        read(tmp_path, "Town\tDays\nBonn\t27\nUlm\t28\n", "pasted.txt").text
        == "Town: Bonn · Days: 27\n\nTown: Ulm · Days: 28"
    )
    prose = "We came, saw, won.\nThey left, lost, wept.\n"
    assert read(tmp_path, prose, "a.txt").text == prose.strip()
    assert (
        read(tmp_path, "only one column\nof words\n", "a.csv").text == "only one column\nof words"
    )


# --- JSON


def test_small_objects_become_labelled_lines_and_large_ones_sections(tmp_path: Path) -> None:
    staff = [
        {"name": "Ada", "bio": "She writes programs. " * 30},
        {"name": "Bob", "bio": "He reads them. " * 40},
    ]
    content = {
        "office": {"town": "Bonn", "rooms": [4, 5]},
        "staff": staff,
        "open": True,
        "none": None,
    }
    document = read(tmp_path, json.dumps(content), "a.json")
    assert document.media_type == "application/json"
    assert document.text.startswith(
        "office.town: Bonn\noffice.rooms: 4, 5\n\nname: Ada\n\nShe writes"
    )
    assert headings(document) == [
        "staff › Ada",
        "staff › Ada › bio",
        "staff › Bob",
        "staff › Bob › bio",
    ]
    assert document.text.endswith("open: true")


def test_records_become_rows(tmp_path: Path) -> None:
    rows = '{"name": "Ada", "at": {"town": "Bonn"}}\n{"name": "Bob", "at": {"town": "Ulm"}}\n'
    expected = "name: Ada · at.town: Bonn\n\nname: Bob · at.town: Ulm"
    document = read(tmp_path, rows, "a.jsonl")
    assert (document.media_type, document.text) == ("application/jsonl", expected)
    assert (
        read(tmp_path, "[" + rows.strip().replace("\n", ",") + "]", "data.txt").text == expected
    ), "whatever it is called"


def test_invalid_json_is_read_as_text(tmp_path: Path) -> None:
    assert read(tmp_path, "{curly} text", "a.json").text == "{curly} text"
    assert read(tmp_path, "[" * 200_000, "a.json").media_type == "text/plain"
    deep = '{"a":' * 500 + "1" + "}" * 500
    assert read(tmp_path, deep, "a.json").text.count('{"a":') > 400


def test_a_notebook_is_read_cell_by_cell(tmp_path: Path) -> None:
    content = documents.notebook(
        {"cell_type": "markdown", "source": ["# Leave\n", "How many days?"]},
        {
            "cell_type": "code",
            "source": "days = 5 * 5",
            "outputs": [{"data": {"text/plain": ["25"], "image/png": "iVBORw"}}],
        },
    )
    document = read(tmp_path, content, "leave.ipynb")
    assert document.text == "# Leave\nHow many days?\n\n```\ndays = 5 * 5\n```\n\n```\n25\n```"
    assert headings(document) == ["Leave"]


# --- source code

PYTHON = '''"""What it owns."""

import os


# The largest of all.
@cached
def largest(numbers):
    def inner():
        pass
    return max(numbers)


class Shelf:
    """Holds books."""

    def add(self, book):
        self.books.append(book)

    async def close(self):
        pass
'''


def test_python_has_a_section_for_each_definition(tmp_path: Path) -> None:
    document = read(tmp_path, PYTHON, "shelf.py")
    assert document.text == PYTHON.replace("\n\n\n", "\n\n").strip()
    assert outline(document) == [
        ("largest", "# The largest of all."),
        ("Shelf", "class Shelf:"),
        ("Shelf › add", "    def add(self, book):"),
        ("Shelf › close", "    async def close(self):"),
    ]


CODE = {
    "a.js": (
        "export default function start() {\n}\nconst stop = async (a) => {\n};\n"
        "class Shelf {\n  add(b) {\n    if (b) {\n    }\n  }\n}",
        ["start", "stop", "Shelf", "Shelf › add"],
    ),
    "a.ts": (
        "export interface Book {\n  title: string;\n}\nexport type Id = string;\nexport enum "
        "Kind { A }",
        ["Book", "Id", "Kind"],
    ),
    "A.java": (
        "package x;\npublic final class Shelf<T> extends Base {\n    private int count;\n    "
        "@Override\n"
        "    public List<T> all(int most) {\n        return books;\n    }\n}",
        ["Shelf", "Shelf › all"],
    ),
    "a.go": (
        "package a\n\nfunc (s *Shelf) Add(b Book) error {\n}\n\ntype Shelf struct {\n}\n\nfunc "
        "main() {\n}",
        ["Add", "Shelf", "main"],
    ),
    "a.rs": (
        "pub struct Shelf {\n}\nimpl Shelf {\n    pub fn add(&self) {\n    }\n}\nfn main() {}",
        ["Shelf", "Shelf › add", "main"],
    ),
    "a.c": (
        "#include <a.h>\nstatic int add(int a,\n               int b)\n{\n    if (a) {\n    "
        "}\n}\nstruct shelf {\n};\n"
        "int total(void) {\n}\nint declared(int a);",
        ["add", "shelf", "total"],
    ),
    "a.rb": ("class Shelf\n  def add(book)\n  end\nend\n", ["Shelf", "Shelf › add"]),
    "a.sh": ("start() {\n  echo hi\n}\nfunction stop {\n}\n", ["start", "stop"]),
    "a.sql": (
        "CREATE TABLE IF NOT EXISTS books (\n  id int\n);\ncreate or replace function "
        "all_books() returns int as $$\n$$;",
        ["books", "all_books"],
    ),
    "a.cs": (
        "namespace X\n{\n    public class Shelf\n    {\n        public void Add(Book b)\n        "
        "{\n        }\n    }\n}",
        ["X", "X › Shelf", "X › Shelf › Add"],
    ),
    "a.php": (
        "<?php\nfinal class Shelf {\n    public function add($b) {\n    }\n}\n",
        ["Shelf", "Shelf › add"],
    ),
    "a.r": ("add <- function(a, b) {\n}\n", ["add"]),
    "a.tf": ('resource "aws_vpc" "main" {\n}\n', ['resource "aws_vpc" "main"']),
    "Makefile": ("all: shelf\n\tcc -o shelf\n\nNAME := x\n", ["all"]),
}


@pytest.mark.parametrize("name", CODE)
def test_definitions_of_other_languages_make_sections(tmp_path: Path, name: str) -> None:
    code, expected = CODE[name]
    headed = [
        heading.replace("Shelf › Shelf", "Shelf")
        for heading in headings(read(tmp_path, code, name))
    ]
    assert list(dict.fromkeys(headed)) == expected


def test_splitting_keeps_lines_of_code_whole_and_indented(tmp_path: Path) -> None:
    code = "def long():\n" + "".join(
        f"    value_{n} = compute_something(value_{n - 1})\n" for n in range(1, 200)
    )
    text = read(tmp_path, code, "long.py").text
    pieces = [text[span.start : span.end] for span in split(text)]
    assert len(pieces) > 5
    assert all(
        line.startswith("    value_") and line.endswith(")")
        for piece in pieces[1:]
        for line in piece.split("\n")
    )


def test_code_is_detected_by_name_and_must_be_text(tmp_path: Path) -> None:
    page = (
        "<template>\n  <div>{{ name }}</div>\n</template>\n<script>\nexport default {}\n</script>"
    )
    assert read(tmp_path, page, "App.vue").text == page
    assert read(tmp_path, documents.pdf("Twenty days."), "days.py").text == "Twenty days."


# --- Markdown


def test_front_matter_gives_the_title_and_is_no_heading(tmp_path: Path) -> None:
    front = 'title: "Handbook"\nsidebar: auto\ndate: 2024-03-05\ntags:\n  - staff\nlayout: page'
    text = f"---\n{front}\n---\n\nIntro.\n\n# Leave\n\nTwenty days."
    document = read(tmp_path, text, "a.md")
    assert outline(document) == [
        ("Handbook", "date: 2024-03-05"),
        ("Handbook › Leave", "# Leave"),
    ]
    kept = "date: 2024-03-05\ntags:\n  - staff\n\nIntro.\n\n# Leave\n\nTwenty days."
    assert document.text == kept, "what is for a site's generator is left out"
    assert read(tmp_path, "---\nsidebar: auto\n---\n# Leave\n\nTwenty.", "a.md").text == (
        "# Leave\n\nTwenty."
    )
    assert read(tmp_path, "---\nsidebar: auto\n---\n", "a.md").text.startswith("---")
    assert headings(read(tmp_path, "---\n\nA rule, and then text.\n\n---\n\nmore", "a.md")) == []


def test_headings_lose_their_decoration(tmp_path: Path) -> None:
    text = (
        "## [Leave](#leave) of `staff` {#x}\n\ntext\n\n**Bold** and __strong__ "
        "snake_case\n---\n\nend\n\n"
        "two lines\nof text\n---\n\n- item\n---\n"
    )
    assert headings(read(tmp_path, text, "a.md")) == [
        "Leave of staff",
        "Bold and strong snake_case",
    ]


def test_fenced_code_has_no_headings_wherever_it_is(tmp_path: Path) -> None:
    text = (
        "# One\n\n- item:\n\n    ```sh\n    # no heading\n    ```\n\n> ~~~\n> # none\n> "
        "~~~\n\n```a``` is code\n\n# Two"
    )
    assert headings(read(tmp_path, text, "a.md")) == ["One", "Two"]


def test_a_table_with_a_very_long_cell_is_read_as_text(tmp_path: Path) -> None:
    cell = "words and words " * 7000
    text = read(tmp_path, f'name,text\nada,"{cell}"\n', "a.csv").text
    assert "ada" in text and text.count("words and words") == 7000
