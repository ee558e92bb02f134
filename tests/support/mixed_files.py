"""Small files of every kind that is read, for campaigns."""

from tests.support import documents


def mixed_files() -> dict[str, bytes]:
    """Return a file of each kind by name."""
    return {
        "towns.pdf": documents.pdf(*(f"The office in {town}." for town in documents.TOWNS)),
        "chinese.pdf": documents.chinese_pdf(),
        "report.docx": documents.word(),
        "table.xlsx": documents.workbook(),
        "deck.pptx": documents.slides(),
        "text.odt": documents.opendocument("text", "<text:p>Leave lasts twenty days.</text:p>"),
        "book.epub": documents.epub("<h1>Leave</h1><p>Twenty days.</p>", "<p>Keys.</p>"),
        "page.html": b"<html><body><h1>Leave</h1><table><tr><td>Days</td><td>20</td></tr></table>"
        b"<ul><li>Keys<li>Badges</ul></body></html>",
        "letter.eml": b"From: a@example.org\r\nTo: b@example.org\r\nSubject: Leave\r\n"
        b"Date: Mon, 02 Mar 2026 10:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=x\r\n\r\n"
        b"--x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nTwenty days.\r\n"
        b"--x\r\nContent-Type: text/html\r\n\r\n<p>Twenty days.</p>\r\n--x--\r\n",
        "rules.md": b"# Leave\n\nTwenty days.\n\n## Keys\n\n- one\n- two\n",
        "data.json": b'{"leave": {"days": 20, "towns": ["Ulm", "Jena"]}, "keys": [1, 2, null]}',
        "rows.csv": b"town,days\nUlm,20\nJena,21\n",
        "notes.txt": "年假有二十天。The leave lasts twenty days.\n".encode() * 40,
    }
