"""Formulas of Office and OpenDocument files, as TeX."""

from pathlib import Path

import pytest

from tests.support import documents
from tests.support.documents import WORD, archive, written_word
from tests.support.reading import headings, read

_SPACES = f'{WORD} xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
_MATH = 'xmlns="http://www.w3.org/1998/Math/MathML"'


def r(text: str, properties: str = "") -> str:
    looks = f"<m:rPr>{properties}</m:rPr>" if properties else ""
    return f"<m:r>{looks}<m:t>{text}</m:t></m:r>"


def part(name: str, *inner: str, properties: str = "") -> str:
    """Return a construct with `e`, or the parts that its inner pairs `name=content` name."""
    looks = f"<m:{name}Pr>{properties}</m:{name}Pr>" if properties else ""
    written = ""
    for one in inner:
        key, _, content = one.partition("=") if one[:1] != "<" else ("e", "", one)
        written += f"<m:{key}>{content}</m:{key}>"
    return f"<m:{name}>{looks}{written}</m:{name}>"


def sign(value: str) -> str:
    return f'<m:chr m:val="{value}"/>'


UPRIGHT = '<m:sty m:val="p"/>'
ROOT = part("rad", "deg=", part("sSup", r("b"), f"sup={r('2')}") + r("−4ac"))
CONSTRUCTS = {
    r("A=π") + part("sSup", r("r"), f"sup={r('2')}"): r"A=\pi r^2",
    part("f", f"num={r('−b±')}{ROOT}", f"den={r('2a')}"): r"\frac{-b\pm\sqrt{b^2-4ac}}{2a}",
    part("rad", f"deg={r('3')}", r("x")): r"\sqrt[3]{x}",
    part("sSubSup", r("N"), f"sub={r('ij')}", f"sup={r('k')}"): "N_{ij}^k",
    part("sPre", f"sub={r('6')}", f"sup={r('14')}", r("C")): "{}_6^{14}C",
    part(
        "nary", f"sub={r('n=1')}", f"sup={r('∞')}", r("n"), properties=sign("∑")
    ): r"\sum_{n=1}^{\infty} n",
    part("nary", "sub=", "sup=", r("x")): r"\int x",
    part("d", part("f", f"num={r('1')}", f"den={r('n')}")): r"\left(\frac{1}{n} \right)",
    part("d", r("x+y"), properties='<m:begChr m:val="["/><m:endChr m:val="]"/>'): "[x+y]",
    part(
        "d", part("f", f"num={r('n')}", f"den={r('k')}", properties='<m:type m:val="noBar"/>')
    ): r"\binom{n}{k}",
    part(
        "d", f"<m:m>{part('mr', r('a'), r('b'))}{part('mr', r('c'), r('d'))}</m:m>"
    ): r"\begin{pmatrix}a & b \\ c & d\end{pmatrix}",
    part(
        "d",
        part("eqArr", r("1, x>0".replace(">", "&gt;")), r("0, x=0")),
        properties='<m:begChr m:val="{"/><m:endChr m:val=""/>',
    ): r"\begin{cases}1, x>0 \\ 0, x=0\end{cases}",
    part("eqArr", r("a&amp;=b"), r("c&amp;=d")): r"\begin{aligned}a&=b \\ c&=d\end{aligned}",
    part("acc", r("u"), properties=sign("\u20d7")): r"\vec{u}",
    part("acc", r("x")): r"\hat{x}",
    part("bar", r("AB"), properties='<m:pos m:val="top"/>'): r"\overline{AB}",
    part("limLow", part("groupChr", r("x+y")), f"lim={r('n')}"): r"\underbrace{x+y}_n",
    part("func", f"fName={r('cos', UPRIGHT)}", r("α")): r"\cos \alpha",
    part(
        "func",
        "fName=" + part("limLow", r("lim", UPRIGHT), f"lim={r('x→0')}"),
        r("f"),
    ): r"\lim_{x\to0} f",
    r("x∈ℝ") + r(" if ", "<m:nor/>") + r("y≠0"): r"x\in\mathbb{R}\text{ if }y\ne0",
    r("速度=") + part("f", f"num={r('s')}", f"den={r('t')}"): r"\text{速度}=\frac{s}{t}",
    part("borderBox", r("E=mc")): r"\boxed{E=mc}",
}


@pytest.mark.parametrize(("made", "tex"), CONSTRUCTS.items(), ids=CONSTRUCTS.values())
def test_a_formula_of_word_becomes_tex(tmp_path: Path, made: str, tex: str) -> None:
    body = f"<w:p><w:r><w:t>Where </w:t></w:r><m:oMath>{made}</m:oMath></w:p>"
    assert read(tmp_path, written_word(body, _SPACES), "a.docx").text == f"Where ${tex}$"


def test_a_formula_of_a_line_of_its_own_is_a_display(tmp_path: Path) -> None:
    alone = f"<m:oMathPara><m:oMath>{r('E=mc')}</m:oMath></m:oMathPara>"
    body = (
        '<w:p><w:pPr><w:outlineLvl w:val="0"/></w:pPr><w:r><w:t>Energy </w:t></w:r>'
        f"<m:oMath>{r('E')}</m:oMath></w:p><w:p>{alone}</w:p>"
        f"<w:p><w:r><w:t>above</w:t></w:r>{alone}<w:r><w:t>below</w:t></w:r></w:p>"
    )
    document = read(tmp_path, written_word(body, _SPACES), "a.docx")
    assert document.text == "Energy $E$\n\n$$E=mc$$\n\nabove\n$$E=mc$$\nbelow"
    assert headings(document) == ["Energy $E$"]


def test_a_deleted_part_of_a_formula_is_left_out(tmp_path: Path) -> None:
    made = f"{r('a')}<w:del>{r('+b')}</w:del><w:ins>{r('+c')}</w:ins>"
    body = f"<w:p><m:oMath>{made}</m:oMath></w:p>"
    assert read(tmp_path, written_word(body, _SPACES), "a.docx").text == "$a+c$"


def test_a_formula_on_a_slide_is_read_once(tmp_path: Path) -> None:
    math = part("sSup", r("c"), f"sup={r('2')}")
    choice = (
        '<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/'
        '2006"><mc:Choice Requires="a14"><a14:m xmlns:a14="http://a14" xmlns:m="http://m">'
        f"<m:oMath>{math}</m:oMath></a14:m></mc:Choice><mc:Fallback><a:r><a:t>c2</a:t></a:r>"
        "</mc:Fallback></mc:AlternateContent>"
    )
    made = documents.slides()
    slide = documents.parts_of(made)["ppt/slides/slide3.xml"]
    slide = slide.replace(b"</a:r></a:p>", f"</a:r>{choice}</a:p>".encode(), 1)
    text = read(tmp_path, documents.with_part(made, "ppt/slides/slide3.xml", slide), "a.pptx").text
    assert "No title here $c^2$" in text and "c2" not in text


# --- OpenDocument


def math(content: str) -> str:
    return f"<math {_MATH}><semantics>{content}<annotation>x over y</annotation></semantics></math>"


def text_with(formula: str, before: str = "", behind: str = "") -> bytes:
    """Return an OpenDocument text whose paragraph holds an embedded formula."""
    frame = (
        '<draw:frame text:anchor-type="as-char"><draw:object xlink:href="./Object 1" '
        'xmlns:xlink="http://www.w3.org/1999/xlink"/><draw:image/></draw:frame>'
    )
    made = documents.opendocument("text", f"<text:p>{before}{frame}{behind}</text:p>")
    return archive({**documents.parts_of(made), "Object 1/content.xml": formula})


def m(name: str, *inner: str, more: str = "") -> str:
    return f"<m{name} {more}>{''.join(inner)}</m{name}>"


FENCE = 'fence="true"'
X, Y, N = m("i", "x"), m("i", "y"), m("n", "2")
MATHML = {
    m("frac", X, Y): r"\frac{x}{y}",
    m("row", X, m("o", "="), m("sqrt", Y, m("o", "+"), N)): r"x=\sqrt{y+2}",
    m("root", X, N): r"\sqrt[2]{x}",
    m("sup", X, N): "x^2",
    m("subsup", X, N, Y): "x_2^y",
    m("row", m("underover", m("o", "∑"), Y, N), X): r"\sum_y^2x",
    m("row", m("i", "sin"), X): r"\sin x",
    m("over", X, m("o", "→")): r"\vec{x}",
    m("over", X, m("o", "¯")): r"\overline{x}",
    m("row", m("o", "(", more=FENCE), m("frac", X, Y), m("o", ")", more=FENCE)):
        r"\left(\frac{x}{y} \right)",
    m("fenced", X, Y): "(x, y)",
    m("table", m("tr", m("td", X), m("td", Y)), m("tr", m("td", Y), m("td", N))):
        r"\begin{matrix}x & y \\ y & 2\end{matrix}",
    m("row", m("i", "α"), m("o", "≤"), m("text", "the limit")): r"\alpha\le\text{the limit}",
    m("multiscripts", m("i", "C"), "<mprescripts/>", N, Y): "{}_2^yC",
}  # fmt: skip


@pytest.mark.parametrize(("made", "tex"), MATHML.items(), ids=MATHML.values())
def test_a_formula_of_an_opendocument_text_becomes_tex(tmp_path: Path, made: str, tex: str) -> None:
    document = read(tmp_path, text_with(math(made), "With ", " here."), "a.odt")
    assert document.text == f"With ${tex}$ here."


def test_a_formula_alone_is_a_display_and_may_be_a_file(tmp_path: Path) -> None:
    made = math(m("frac", X, Y))
    assert read(tmp_path, text_with(made), "a.odt").text == r"$$\frac{x}{y}$$"
    file = archive({"mimetype": "application/vnd.oasis.opendocument.formula", "content.xml": made})
    assert read(tmp_path, file, "a.odf").text == r"$$\frac{x}{y}$$"


def test_tex_that_a_formula_carries_is_kept(tmp_path: Path) -> None:
    carried = (
        f'<math {_MATH}><semantics><mi>x</mi><annotation encoding="application/x-tex">'
        r"x_{\rm max}</annotation></semantics></math>"
    )
    assert read(tmp_path, text_with(carried), "a.odt").text == r"$$x_{\rm max}$$"


def test_a_damaged_formula_costs_itself_alone(tmp_path: Path) -> None:
    document = read(tmp_path, text_with("<math", "With ", " here."), "a.odt")
    assert document.text == "With  here." and document.skipped == 1


def test_a_chart_of_an_opendocument_text_is_read_as_rows(tmp_path: Path) -> None:
    def cell(text: str) -> str:
        return f"<table:table-cell><text:p>{text}</text:p></table:table-cell>"

    lines = (("", "Sales", "Costs"), ("2023", "11", "7"), ("2024", "12", "8"))
    cells = "".join(
        f"<table:table-row>{''.join(map(cell, one))}</table:table-row>" for one in lines
    )
    chart = f"<chart:title><text:p>Results</text:p></chart:title><table:table>{cells}</table:table>"
    content = documents.parts_of(documents.opendocument("chart", chart))["content.xml"].decode()
    content = content.replace(
        "<office:document-content", '<office:document-content xmlns:chart="c"'
    )
    text = read(tmp_path, text_with(content, "Before"), "a.odt").text
    assert text.startswith("Before\n\nResults\n\n") and "Sales: 12 · Costs: 8" in text
