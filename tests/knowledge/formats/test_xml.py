"""XML: feeds as items, other files as records, headings and paragraphs."""

from pathlib import Path

import pytest

from tests.support.reading import headings, outline, read, refusal_reason

RSS = """<?xml version="1.0"?><!DOCTYPE rss PUBLIC "-//A//DTD RSS//EN" "http://x/rss.dtd">
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>
<title>News of the office</title><link>https://x.example/</link><description>Monthly</description>
<item><title>New bicycles &amp;amp; cars</title><link>https://x.example/1</link>
<pubDate>Mon, 02 Mar 2026 10:00:00 GMT</pubDate><category>Fleet</category>
<description>Short.</description><content:encoded><![CDATA[<p>Twelve bicycles <b>arrived</b>.</p>
<ul><li>red</li><li>blue</li></ul>]]></content:encoded></item>
<item><description>Without a title</description></item></channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>Notes</title>
<entry><title type="html">&lt;b&gt;Paint&lt;/b&gt;</title><link rel="self" href="https://x/self"/>
<link href="https://x.example/p"/><updated>2026-03-02</updated><author><name>Ada</name></author>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Blue paint.</p></div></content>
</entry></feed>"""


def test_a_feed_is_read_as_items(tmp_path: Path) -> None:
    document = read(tmp_path, RSS, "feed.xml")
    assert document.text == (
        "News of the office\n\nMonthly\n\nNew bicycles & cars\n"
        "Mon, 02 Mar 2026 10:00:00 GMT · Fleet · https://x.example/1\n\n"
        "Twelve bicycles arrived.\n\n- red\n- blue\n\nWithout a title"
    )
    assert headings(document)[1] == "News of the office › New bicycles & cars"
    document = read(tmp_path, ATOM, "download")
    assert document.text == (
        "Notes\n\nPaint\n2026-03-02 · Ada · https://x.example/p\n\nBlue paint."
    )


def test_records_become_lines_labelled_by_element(tmp_path: Path) -> None:
    made = """<towns date="2026"><town id="7"><name>Bonn</name><leave><days>27</days></leave></town>
    <!-- note --><town id="8"><name>Ulm &lt;city&gt;</name><leave><days>28</days></leave></town>
    </towns>"""
    document = read(tmp_path, made, "towns.xml")
    assert document.text == (
        "date: 2026\n\ntown · id: 7 · name: Bonn · leave.days: 27\n\n"
        "town · id: 8 · name: Ulm <city> · leave.days: 28"
    )
    assert headings(document) == ["towns"]


def test_a_document_in_xml_keeps_headings_and_prose(tmp_path: Path) -> None:
    prose = "The fee is <em>nine</em> euros. " * 9
    chapters = "".join(
        f"<chapter><title>Chapter {n}</title><para>{prose}</para><para>{prose}</para></chapter>"
        for n in (1, 2)
    )
    document = read(tmp_path, f"<?xml version='1.0'?><book>{chapters}</book>", "book.docbook")
    assert outline(document)[1] == ("book › Chapter 2", "Chapter 2")
    assert document.text.count("\n\nThe fee is nine euros.") == 4
    assert "<" not in document.text and "para:" not in document.text


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "iso-8859-2", "utf-8-sig"])
def test_xml_is_decoded_as_declared(tmp_path: Path, encoding: str) -> None:
    word = "出差" if encoding in ("gb18030", "utf-16") else "łódź"
    made = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?><a><b>{word}</b></a>'
    assert read(tmp_path, made.encode(encoding), "a.xml").text == f"b: {word}"


def test_damaged_xml_is_read_as_far_as_possible(tmp_path: Path) -> None:
    assert read(tmp_path, "<a><b>one&nbsp;two</b><c>three</a>", "a.xml").text == (
        "b: one\xa0two · c: three".replace("\xa0", " ")
    )
    assert read(tmp_path, "<b is less than 5", "a.xml").text == "<b is less than 5"
    assert read(tmp_path, "<town> and <gown>", "notes.txt").text == "<town> and <gown>"


def test_deep_xml_is_refused(tmp_path: Path) -> None:
    assert refusal_reason(tmp_path, "<a>" * 5000 + "x" + "</a>" * 5000, "a.xml") == "nested"
