"""E-mails: known by their head, read part by part, with what is attached to them."""

import base64
from email.message import EmailMessage
from pathlib import Path

import pytest

from chatapp.errors import ChatAppError
from chatapp.knowledge.formats.document import LeftOut
from chatapp.knowledge.ingest.sandbox import parse_limited
from chatapp.settings import Settings
from tests.support import documents
from tests.support.pictures import page, saved
from tests.support.reading import headings, in_order, outline, read

HEAD = "From: Ada <ada@example.org>\nTo: bob@example.org\nSubject: Leave\n"
DATE = "Date: Tue, 05 Mar 2024 10:00:00 +0100\n"
MAIL = "message/rfc822"


def message(subject: str = "Leave", text: str = "27 days.") -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "ada@example.org", "bob@example.org", subject
    made.set_content(text)
    return made


@pytest.mark.parametrize(
    "first",
    [
        "Content-Type: text/plain",
        "DKIM-Signature: v=1; a=rsa-sha256;\n\tb=abc",
        "Authentication-Results: mx.example.org;\n  spf=pass",
        "ARC-Seal: i=1; a=rsa-sha256",
        "Reply-To: ada@example.org",
        "Return-Path: <ada@example.org>",
        "Received: from a by b;\n\tTue, 5 Mar 2024",
        "X-Mailer: pen",
        "Delivered-To: bob@example.org",
        "Subject: Hours",
        "From ada@example.org Tue Mar  5 10:00:00 2024",
    ],
)
def test_mail_is_known_by_any_head(tmp_path: Path, first: str) -> None:
    found = read(tmp_path, f"{first}\n{HEAD}{DATE}\n27 days.", "a.bin")
    assert found.media_type == MAIL and found.text.endswith("\n\n27 days.")
    assert "DKIM" not in found.text and "\n\n27" in found.text


@pytest.mark.parametrize(
    "text",
    [
        "Note: the office closes at six.\n\nEverybody leaves.",
        "Subject: chemistry\nTeacher: Ms Ames\n\nAcids and bases.",
        "From: the desk of Ada\nRe: lunch\n\nNoon?",
        "name: build\nfrom: ada@example.org\nto: bob@example.org\nsubject: done\n\non: push\n",
        "from: ada@example.org\nto: bob@example.org\nsubject: done\n\nbody: x\n",
        "HTTP/1.1 200 OK\nContent-Type: text/html\nDate: Tue, 05 Mar 2024 10:00:00 GMT\n\n<p>x",
        "Content-Type: text/html\nDate: Tue, 05 Mar 2024 10:00:00 GMT\nServer: x\n\nhello",
        "Host: example.org\nX-Forwarded-For: 1.2.3.4\nContent-Type: text/plain\n\nhello",
        "Date,From,To\n2024-03-05,Ada,Bob\n2024-03-06,Ada,Bob\n",
        "Date: 2024-03-05 INFO: started\nReceived: 27 bytes\nwithout a colon\n",
        "Received: 27 parcels\nSubject: parcels\n\nAll are here.",
        "From Bonn we went to Ulm.\n\nIt rained.",
        "Title: Leave\nDate: 2024-03-05\nAuthor: Ada\n\nText.",
    ],
)
def test_other_text_with_colons_is_no_mail(tmp_path: Path, text: str) -> None:
    found = read(tmp_path, text, "a.txt")
    assert found.media_type != MAIL
    assert "".join(found.text.split()) == "".join(text.split())


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_a_mail_stored_in_another_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    mail = f"MIME-Version: 1.0\n{DATE}{HEAD}Content-Type: text/plain; charset=utf-8\n\n每年十五天。"
    found = read(tmp_path, mail.encode(encoding), "a.eml")
    assert found.media_type == MAIL and found.text.endswith("每年十五天。")


def test_the_mails_of_a_mailbox_are_read_one_by_one(tmp_path: Path) -> None:
    mails = "\n\n".join(
        f"From ada@example.org Tue Mar  5 10:0{number}:00 2024\n{HEAD}\nText {number}.\n\n"
        "From here on: quiet."
        for number in range(3)
    )
    found = read(tmp_path, mails, "all.mbox")
    assert found.media_type == "application/mbox"
    assert headings(found) == ["Leave"] * 3 and found.text.count("quiet") == 3


@pytest.mark.parametrize(
    ("declared", "encoding", "text"),
    [
        ("gb2312", "gb18030", "朱镕基总理的年假"),
        ("us-ascii", "gb18030", "每年享有十五天带薪年假，须提前申请。"),
        ("utf-8", "gb18030", "每年享有十五天带薪年假，须提前申请。"),
        ("unknown-8bit", "utf-8", "Überstunden"),
        ("iso-8859-1", "cp1252", "“quoted” – dashes"),
        ("iso-2022-jp", "iso-2022-jp", "有給休暇を取得できます"),
        ("hz-gb-2312", "hz-gb-2312", "年假"),
        ("utf-7", "utf-7", "Überstunden"),
        ("big5", "big5", "員工每年享有十五天"),
    ],
)
@pytest.mark.parametrize("coding", ["8bit", "base64", "quoted-printable"])
def test_bodies_are_decoded_whatever_they_declare(
    tmp_path: Path, declared: str, encoding: str, text: str, coding: str
) -> None:
    raw = text.encode(encoding)
    body = {
        "8bit": raw,
        "base64": base64.encodebytes(raw),
        "quoted-printable": b"".join(b"=%02X" % byte for byte in raw),
    }[coding]
    head = f"{HEAD}MIME-Version: 1.0\nContent-Type: text/plain; charset={declared}\n"
    mail = f"{head}Content-Transfer-Encoding: {coding}\n\n".encode() + body
    assert read(tmp_path, mail, "a.eml").text.endswith(f"\n\n{text}")


def test_fields_are_decoded_where_a_character_is_cut_between_words(tmp_path: Path) -> None:
    raw = "关于年假的通知".encode("gb18030")
    words = " ".join(
        f"=?gb2312?B?{base64.b64encode(part).decode()}?=" for part in (raw[:5], raw[5:])
    )
    mail = (
        f"From: =?utf-8?q?J=C3=B6rg_M=2E?= <j@example.org>\nSubject: {words}\nMessage-ID: <1>\n\nx"
    )
    found = read(tmp_path, mail, "a.eml")
    assert headings(found) == ["关于年假的通知"] and "From: Jörg M. <j@example.org>" in found.text


def test_fields_in_raw_bytes_are_decoded(tmp_path: Path) -> None:
    mail = "From: a@example.org\nSubject: 关于年假的通知和说明\nMessage-ID: <1>\n\nx"
    assert headings(read(tmp_path, mail.encode("gb18030"))) == ["关于年假的通知和说明"]


def test_flowed_lines_are_joined(tmp_path: Path) -> None:
    body = "One sentence that \ngoes on.\n> quoted \n> on\n\n-- \nAda"
    head = f"{HEAD}MIME-Version: 1.0\nContent-Type: text/plain; format=flowed\n\n"
    found = read(tmp_path, head + body, "a.eml")
    assert "One sentence that goes on.\n> quoted on" in found.text
    chinese = head.replace("flowed", "flowed; delsp=yes") + "每年十五 \n天。"
    assert "每年十五天。" in read(tmp_path, chinese, "a.eml").text


def test_attachments_are_read_as_files_below_the_mail(tmp_path: Path) -> None:
    mail = message()
    mail.add_attachment(
        documents.word(), maintype="application", subtype="octet-stream", filename="规定.docx"
    )
    mail.add_attachment(b"Town,Days\nBonn,27\n", maintype="text", subtype="csv", filename="d.csv")
    mail.add_attachment(
        saved(page(["Logo"]), "PNG"), maintype="image", subtype="png", filename="logo.png"
    )
    mail.add_attachment(
        b'x\x9f>"', maintype="application", subtype="ms-tnef", filename="winmail.dat"
    )
    found = read(tmp_path, mail.as_bytes(), "a.eml")
    assert "Attachments: 规定.docx, d.csv, logo.png, winmail.dat" in found.text
    assert ("Leave › d.csv", "Town: Bonn · Days: 27") in outline(found)
    assert any(heading.startswith("Leave › 规定.docx › ") for heading in headings(found))
    assert found.left_out == (LeftOut("logo.png", "picture"), LeftOut("winmail.dat", "winmail"))


def test_a_forwarded_mail_is_a_section_of_its_own(tmp_path: Path) -> None:
    inner = message("Budget", "900 euros.")
    inner.add_attachment(b"Keys", maintype="text", subtype="plain", filename="k.txt")
    outer = message()
    outer.add_attachment(inner)
    found = read(tmp_path, outer.as_bytes(), "a.eml")
    assert headings(found) == ["Leave", "Leave › Budget", "Leave › Budget › k.txt"]
    assert in_order(found.text, ["27 days.", "Subject: Budget", "900 euros.", "Keys"])


def test_mails_within_mails_end_at_a_limit(tmp_path: Path) -> None:
    mail = message("0")
    for number in range(1, 30):
        outer = message(str(number))
        outer.add_attachment(mail)
        mail = outer
    found = read(tmp_path, mail.as_bytes(), "a.eml")
    assert [one.reason for one in found.left_out] == ["nested"]


def test_parts_within_parts_without_end_are_refused(tmp_path: Path) -> None:
    parts = "".join(
        f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(5000)
    )
    mail = f"{HEAD}MIME-Version: 1.0\n{parts}Content-Type: text/plain\n\nx"
    path = tmp_path / "original"
    path.write_text(mail)
    with pytest.raises(ChatAppError) as refused:
        parse_limited(path, "a.eml", Settings(home=tmp_path), lambda: None)
    assert refused.value.key == "error.unreadable_file.nested"


def test_one_of_several_forms_of_a_text_is_read(tmp_path: Path) -> None:
    both = message(text="Twenty-seven days of leave.")
    both.add_alternative("<p>Twenty-seven days of <b>leave</b>.</p>", subtype="html")
    assert read(tmp_path, both.as_bytes()).text.count("Twenty-seven") == 1
    short = message(text="See the HTML.")
    short.add_alternative(f"<h1>Leave</h1><p>{'Twenty-seven days. ' * 20}</p>", subtype="html")
    found = read(tmp_path, short.as_bytes()).text
    assert "Twenty-seven" in found and "See the HTML" not in found
    only = message()
    only.set_content("<ul><li>27 days</li></ul>", subtype="html")
    assert read(tmp_path, only.as_bytes()).text.endswith("- 27 days")


def test_pictures_within_the_text_are_passed_over(tmp_path: Path) -> None:
    mail = message()
    mail.set_content("<p>27 days</p><img src='cid:1'>", subtype="html")
    mail.add_related(b"\x89PNG\r\n\x1a\n", maintype="image", subtype="png", cid="<1>")
    assert read(tmp_path, mail.as_bytes()).left_out == ()


def test_a_signed_mail_is_read_and_an_encrypted_one_says_so(tmp_path: Path) -> None:
    content = b"Content-Type: text/plain\r\n\r\nSigned: 27 days."
    data = bytes.fromhex("06092a864886f70d010701") + der(0xA0, der(0x04, content))
    body = der(0x02, b"\1") + der(0x31, b"") + der(0x30, data)
    oid = bytes.fromhex("06092a864886f70d010702")
    signed = der(0x30, oid + der(0xA0, der(0x30, body)))
    pieces = b"\x24\x80" + der(0x04, content[:20]) + der(0x04, content[20:]) + b"\0\0"
    streamed = (
        b"\x30\x80" + oid + b"\xa0\x80\x30\x80" + der(0x02, b"\1") + der(0x31, b"")
        + b"\x30\x80" + bytes.fromhex("06092a864886f70d010701") + b"\xa0\x80" + pieces + b"\0" * 10
    )  # fmt: skip
    for made in (signed, streamed):
        assert "Signed: 27 days." in read(tmp_path, sealed(made)).text
    found = read(tmp_path, sealed(bytes.fromhex("06092a864886f70d010703")))
    assert found.left_out == (LeftOut("smime.p7m", "encrypted"),)


def sealed(data: bytes) -> bytes:
    head = f'{HEAD}MIME-Version: 1.0\nContent-Type: application/pkcs7-mime; name="smime.p7m"\n'
    return f"{head}Content-Transfer-Encoding: base64\n\n".encode() + base64.encodebytes(data)


def der(tag: int, value: bytes) -> bytes:
    return bytes([tag, len(value)]) + value


def test_a_part_of_broken_base64_costs_itself(tmp_path: Path) -> None:
    head = f"{HEAD}MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n"
    text = "--B\nContent-Type: text/plain\n\n27 days.\n--B\n"
    cut = base64.b64encode(b"%PDF-1.4 nothing else").decode()[:-3] + ">"
    pdf = f"Content-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: base64\n\n{cut}"
    found = read(tmp_path, f"{head}{text}{pdf}\n--B--\n", "a.eml")
    assert found.text.endswith("27 days.") and found.left_out == (LeftOut("a.pdf", "damaged"),)


@pytest.mark.parametrize(
    "name",
    [
        "filename*=gb18030''%C4%EA%BC%D9.txt",
        'filename="=?gbk?B?xOq82S50eHQ=?="',
        "filename*0*=utf-8''%E5%B9%B4; filename*1*=%E5%81%87.txt",
    ],
)
def test_names_of_attachments_are_decoded(tmp_path: Path, name: str) -> None:
    head = f"{HEAD}MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n"
    part = (
        f"--B\nContent-Type: text/plain\nContent-Disposition: attachment; {name}\n\nKeys\n--B--\n"
    )
    assert headings(read(tmp_path, head + part, "a.eml")) == ["Leave", "Leave › 年假.txt"]
