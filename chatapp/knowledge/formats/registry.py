"""The table of supported file formats. To add one:

1. Write `formats/<name>.py` with a function `read` that returns a Document (document.py).
2. Add a row to BINARY_FORMATS or TEXT_FORMATS below: its displayed names, how it is
   detected, and a function that calls its `read`. Rows are tried from the top. Import the module
   inside that function, so that the parser's process loads only what its file needs.
3. Test it in tests/knowledge/formats/: a good file, a damaged one, one over the limits.
4. Name it in docs/manual/en.md and docs/manual/zh-CN.md; a test compares them with this table.

The parser (ingest/parse.py) and the error that lists the supported formats use this table. Types
that are detected only to be refused are in refused.py.
"""

from collections.abc import Callable
from dataclasses import dataclass

from chatapp.knowledge.formats.document import Document, Unreadable
from chatapp.knowledge.formats.source import SourceFile


@dataclass(frozen=True, slots=True)
class Format:
    """A row of the table. `names` is displayed; empty where the error's text already covers it.

    `read` may return None where the content turns out to be something else: the next row is tried.
    """

    names: str
    detect: Callable[[SourceFile], bool]
    read: Callable[[SourceFile], Document | None]


def find_and_read(formats: tuple[Format, ...], file: SourceFile) -> Document | None:
    """Read a file by the first row that fits; None where none does. Raises Unreadable."""
    for row in formats:
        if row.detect(file) and (document := row.read(file)) is not None:
            return document
    return None


# --- binary formats: detected by content alone


def _is_pdf(file: SourceFile) -> bool:
    return b"%PDF-" in file.head[:1024]


def _read_pdf(file: SourceFile) -> Document:
    from chatapp.knowledge.formats import pdf

    return pdf.read(file.path, file.name, file.max_pages)


def _is_picture(file: SourceFile) -> bool:
    from chatapp.knowledge.formats import picture

    return picture.is_picture(file.head)


def _read_picture(file: SourceFile) -> Document:
    from chatapp.knowledge.formats import picture

    return picture.read(file.path, file.max_pages)


def _is_package_of(kind: str) -> Callable[[SourceFile], bool]:
    return lambda file: file.is_package and file.package_kind == kind


def _read_docx(file: SourceFile) -> Document:
    from chatapp.knowledge.formats import docx

    return docx.read(file.package, file.members)


def _read_xlsx(file: SourceFile) -> Document:
    from chatapp.knowledge.formats import xlsx

    return xlsx.read(file.package)


def _read_pptx(file: SourceFile) -> Document:
    from chatapp.knowledge.formats import pptx

    return pptx.read(file.package, file.max_pages)


def _read_opendocument(file: SourceFile) -> Document:
    from chatapp.knowledge.formats import opendocument

    return opendocument.read(file.package, file.max_pages)


def _read_epub(file: SourceFile) -> Document:
    from chatapp.knowledge.formats import epub

    return epub.read(file.package)


def _is_old_office(file: SourceFile) -> bool:
    from chatapp.knowledge.formats import office

    is_old = file.compound is not None and file.compound.kind in office.TARGETS
    return is_old and office.program() is not None


def _read_old_office(file: SourceFile) -> Document:
    from chatapp.knowledge.formats import office

    assert file.compound is not None
    office.require_open(file.compound)
    with office.converted(file.path, file.compound.kind) as path:
        made = SourceFile(path, path.name, file.max_pages, file.members)
        document = find_and_read(CONVERTED, made)
    if document is None:
        raise Unreadable("conversion")
    return document


def _is_rtf(file: SourceFile) -> bool:
    return file.head.lstrip(b"\xef\xbb\xbf\r\n ").startswith(b"{\\rtf")


def _read_rtf(file: SourceFile) -> Document:
    from chatapp.knowledge.formats import rtf

    return rtf.read(file.path.read_bytes())


def _is_compound_of(kind: str) -> Callable[[SourceFile], bool]:
    return lambda file: file.compound is not None and file.compound.kind == kind


def _read_xls(file: SourceFile) -> Document:
    from chatapp.knowledge.formats import xls

    assert file.compound is not None
    return xls.read_old(file.path, file.compound)


def _read_xlsb(file: SourceFile) -> Document:
    from chatapp.knowledge.formats import xls

    return xls.read_binary(file.path)


def _read_msg(file: SourceFile) -> Document:
    from chatapp.knowledge.formats import msg

    assert file.compound is not None
    return msg.read(file.compound, file.members)


def _read_zip(file: SourceFile) -> Document:
    from chatapp.knowledge.formats import archive

    return archive.read(file.archive, file.members)


# --- text formats: detected by content where it is unambiguous, else by the file's name


def _is_code(file: SourceFile) -> bool:
    from chatapp.knowledge.formats import code

    return code.is_code(file.name)


def _read_code(file: SourceFile) -> Document:
    from chatapp.knowledge.formats import code

    return code.read(file.text, file.name)


def _is_markdown(file: SourceFile) -> bool:
    from chatapp.knowledge.formats import markdown

    return file.extension in markdown.EXTENSIONS


def _read_markdown(file: SourceFile) -> Document:
    from chatapp.knowledge.formats import markdown

    return markdown.read(file.text)


def _is_html(file: SourceFile) -> bool:
    from chatapp.knowledge.formats import html

    return html.is_html(file.text, file.extension)


def _read_html(file: SourceFile) -> Document:
    from chatapp.knowledge.formats import html

    return html.read(file.text)


def _is_xml(file: SourceFile) -> bool:
    from chatapp.knowledge.formats import xml_file

    return xml_file.is_xml(file.text, file.extension)


def _read_xml(file: SourceFile) -> Document | None:
    from chatapp.knowledge.formats import xml_file

    return xml_file.read(file.text)


def _is_mail(file: SourceFile) -> bool:
    from chatapp.knowledge.formats import mail_head

    return mail_head.is_mail(file.head)


def _read_mail(file: SourceFile) -> Document:
    from chatapp.knowledge.formats import mail

    return mail.read(file.path.read_bytes(), file.members)


def _is_cards(file: SourceFile) -> bool:
    from chatapp.knowledge.formats import cards

    return bool(cards.kind_of(file.text))


def _read_cards(file: SourceFile) -> Document:
    from chatapp.knowledge.formats import cards

    return cards.read(file.text)


def _may_be_json(file: SourceFile) -> bool:
    return file.text.lstrip("\ufeff \t\r\n")[:1] in ("{", "[")


def _read_json(file: SourceFile) -> Document | None:
    from chatapp.knowledge.formats import json_file

    return json_file.read(file.text)


def _is_csv(file: SourceFile) -> bool:
    from chatapp.knowledge.formats import csv_file

    return csv_file.is_csv(file.text, file.extension)


def _read_csv(file: SourceFile) -> Document:
    from chatapp.knowledge.formats import csv_file

    return csv_file.read(file.text)


def _is_any_text(file: SourceFile) -> bool:
    return True


def _read_plain(file: SourceFile) -> Document:
    from chatapp.knowledge.formats import plain

    return plain.read(file.text)


BINARY_FORMATS = (
    Format("PDF", _is_pdf, _read_pdf),
    Format("DOCX", _is_package_of("docx"), _read_docx),
    Format("XLSX", _is_package_of("xlsx"), _read_xlsx),
    Format("XLS", _is_compound_of("xls"), _read_xls),
    Format("XLSB", _is_package_of("xlsb"), _read_xlsb),
    Format("PPTX", _is_package_of("pptx"), _read_pptx),
    Format("ODT, ODS, ODP", _is_package_of("opendocument"), _read_opendocument),
    Format("EPUB", _is_package_of("epub"), _read_epub),
    Format("MSG", _is_compound_of("msg"), _read_msg),
    Format("RTF", _is_rtf, _read_rtf),
    Format("", _is_old_office, _read_old_office),  # supported where LibreOffice is
    Format("ZIP", _is_package_of("zip"), _read_zip),
    Format("PNG, JPG, WebP, TIFF, BMP, GIF, HEIC, AVIF", _is_picture, _read_picture),
)
CONVERTED = tuple(row for row in BINARY_FORMATS if row.names in ("DOCX", "PPTX"))
TEXT_FORMATS = (
    Format("", _is_code, _read_code),  # the error's text adds "and source code"
    Format("EML, MBOX", _is_mail, _read_mail),
    Format("ICS, VCF", _is_cards, _read_cards),
    Format("MD", _is_markdown, _read_markdown),
    Format("HTML", _is_html, _read_html),
    Format("XML, RSS", _is_xml, _read_xml),
    Format("JSON", _may_be_json, _read_json),
    Format("CSV", _is_csv, _read_csv),
    Format("TXT", _is_any_text, _read_plain),
)
SUPPORTED = ", ".join(row.names for row in BINARY_FORMATS + TEXT_FORMATS if row.names)
