"""One rule for names: what is kept, and that applying it again changes nothing."""

import os
import random
import unicodedata

import pytest

from chatapp.knowledge.names import base_name, decoded, file_name

ODD = [
    *"ab./\\ ~%\"';:年é한",
    *(
        "\u0301",
        "\u1161",
        "\u11a8",
        "\u0344",
        "\u212b",
        "\u2000",
    ),  # compose, decompose, become blank
    *("\n", "\r", "\0", "\u2028", "\u00a0", "\u200b", "\u202e", "\u2066", "\ufeff", "\u200d"),
    *("\ufe0f", "\U000e0061", "\U0001f3f4", "\ud800", "\udcc4", "\udce3", "\udc80"),
    *("x" * 60, "长" * 40, ".txt", ".pdf"),
]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("leave.pdf", "leave.pdf"),
        ("C:\\Users\\me\\leave.pdf", "leave.pdf"),
        ("../../etc/passwd", "passwd"),
        ("a\\b.txt", "b.txt"),
        ("a\\", "a"),
        ("年假 规定\n.pdf", "年假 规定 .pdf"),
        ("  two  blanks.txt ", "two blanks.txt"),
        ("nul\0and\u001bescape.txt", "nulandescape.txt"),
        (unicodedata.normalize("NFD", "Résumé 예산 がぎ.txt"), "Résumé 예산 がぎ.txt"),
        ("report\u202efdp.exe", "reportfdp.exe"),
        ("\u2066a\u2069\u200b.txt", "a.txt"),
        ("a\U000e0062\U000e0063.txt", "a.txt"),
        ("half \ud83d.txt", "half \ufffd.txt"),
        (".env", ".env"),
        ("CON.txt", "CON.txt"),
        ("x:y?*.txt", "x:y?*.txt"),
        ("", "file"),
        ("..", "file"),
        ("folder/", "folder"),
        (" \u200d\u202e. ", "file"),
        ("x" * 500 + ".pdf", "x" * 251 + ".pdf"),
        ("年" * 200 + ".docx", "年" * 83 + ".docx"),
        ("Item 1. " + "long " * 60, "Item 1. " + "long " * 49 + "lo"),
    ],
)
def test_a_name_is_one_that_people_can_read(sent: str, kept: str) -> None:
    assert file_name(sent) == kept


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("年假制度.txt", "gbk"),
        ("员工手册（最终版）.pdf", "gb18030"),
        ("員工手冊.pdf", "big5"),
        ("従業員ハンドブック.pdf", "cp932"),
        ("예산 보고서.txt", "cp949"),
        ("Größe.pdf", "cp1252"),
        ("Résumé.txt", "cp437"),
        ("Отчёт.txt", "cp1251"),
        ("年假.txt", "utf-8"),
    ],
)
def test_a_name_in_another_encoding_is_read(name: str, encoding: str) -> None:
    raw = os.fsdecode(name.encode(encoding))
    assert file_name(raw) == name
    assert decoded(raw) == name


def test_bytes_in_no_encoding_make_a_name_too() -> None:
    cut = os.fsdecode("年假规定".encode()[:-1])
    assert file_name(cut) == "年假规\ufffd"
    assert file_name(os.fsdecode(bytes(range(128, 256)) + b".txt")).endswith(".txt")


def test_the_rule_changes_nothing_the_second_time() -> None:
    chance = random.Random(1)
    for _ in range(5000):
        sent = "".join(chance.choices(ODD, k=chance.randint(0, 12)))
        name = file_name(sent)
        assert name and len(name.encode()) <= 255, ascii(sent)
        assert file_name(name) == name, ascii(sent)
        assert base_name(base_name(sent)) == base_name(sent), ascii(sent)
    for number in range(0x3400):
        for sent in (f"a{chr(number)}\u0301", f"{chr(number)}b.txt"):
            assert file_name(file_name(sent)) == file_name(sent), ascii(sent)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("  Hand  book ", "Hand book"),
        (unicodedata.normalize("NFD", "Résumés"), "Résumés"),
        ("My\u202eskood", "Myskood"),
        ("a/b\\c", "a/b\\c"),
        ("\u200b \u202e", ""),
        ("x" * 300, "x" * 200),
    ],
)
def test_a_base_has_a_name_that_people_can_read(sent: str, kept: str) -> None:
    assert base_name(sent) == kept
