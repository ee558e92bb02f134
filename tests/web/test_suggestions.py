"""/api/suggestions over HTTP."""

import pytest
from flask.testing import FlaskClient

from chatapp.knowledge.suggestions import subject
from chatapp.web.services import Services
from tests.support.shelf import add_user
from tests.support.uploads import upload, work

ENGLISH = b"""# Staff handbook

## Introduction

This handbook was written for everybody who works at the harbour office, in every shift.

## 2.1 Parental leave

Parents stay at home for up to fourteen months after the birth and keep their position.

## How are travel costs refunded?

Travel costs are refunded within ten days after the receipts were handed in at the desk.
"""
CHINESE = """# 会员手册

## 二、积分兑换

积分可以在商城兑换礼品，每年十二月三十一日清零，逾期未兑换的积分不再恢复，也不能折算成现金或者转让给其他会员。
""".encode()


def add(client: FlaskClient, services: Services, name: str, content: bytes) -> str:
    base = str(client.post("/api/knowledge", json={"name": name}).json["id"])
    assert upload(client, base, (name, content)).status_code == 202
    work(services)
    return base


def questions(client: FlaskClient, path: str = "", language: str = "en") -> list[str]:
    answer = client.get(f"/api/suggestions{path}", headers={"Accept-Language": language})
    assert answer.status_code == 200
    return [item["question"] for item in answer.json["items"]]


def test_nothing_is_suggested_without_documents_of_ones_own(client: FlaskClient) -> None:
    assert questions(client) == []


def test_headings_of_ready_files_become_questions(client: FlaskClient, services: Services) -> None:
    base = add(client, services, "handbook.md", ENGLISH)
    assert questions(client) == [
        "What do the documents say about “Parental leave”?",
        "How are travel costs refunded?",
    ]
    item = client.get("/api/suggestions").json["items"][0]
    (file,) = client.get(f"/api/knowledge/{base}/files").json["items"]
    assert item["knowledge_base_id"] == base
    assert (item["file_id"], item["name"]) == (file["id"], "handbook.md")


def test_a_file_that_is_not_read_yet_suggests_nothing(client: FlaskClient) -> None:
    base = client.post("/api/knowledge", json={"name": "Handbook"}).json["id"]
    upload(client, base, ("handbook.md", ENGLISH))
    assert questions(client) == []


def test_questions_are_in_the_language_of_the_page_and_its_documents_come_first(
    client: FlaskClient, services: Services
) -> None:
    add(client, services, "会员.md", CHINESE)
    add(client, services, "handbook.md", ENGLISH)
    chinese = questions(client, language="zh-CN")
    assert chinese[0] == "关于“积分兑换”，文档里是怎么说的？"
    assert chinese[1] == "关于“Parental leave”，文档里是怎么说的？"
    english = questions(client)
    assert english[0].endswith("“Parental leave”?")
    assert english[-1].endswith("“积分兑换”?")


def test_one_knowledge_base_can_be_asked_about(client: FlaskClient, services: Services) -> None:
    add(client, services, "handbook.md", ENGLISH)
    other = add(client, services, "会员.md", CHINESE)
    only = questions(client, f"?knowledge_base_id={other}")
    assert only == ["What do the documents say about “积分兑换”?"]
    assert len(questions(client, "?limit=1")) == 1


def test_documents_of_others_are_not_suggested(client: FlaskClient, services: Services) -> None:
    base = add(client, services, "handbook.md", ENGLISH)
    other = services.suggestions.about(add_user(services.database, "other"), "en", 3)
    assert other == []
    assert client.get("/api/suggestions?knowledge_base_id=unknown").status_code == 404
    client.delete(f"/api/knowledge/{base}")
    assert questions(client) == []


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("3.2 Payment terms", "Payment terms"),
        ("第三章 付款方式", "付款方式"),
        ("2 Working time", "Working time"),
        ("30 days of leave", "30 days of leave"),
        ("一、适用范围", "适用范围"),
        ("Chapter IV: The long winter", "The long winter"),
        ("2024 results", "2024 results"),
        ("Introduction", ""),
        ("目录", ""),
        ("Sheet1", ""),
        ("src/main.py", ""),
        ("def load_all():", ""),
        ("12.08.2024", ""),
        ("Q&A", ""),
        ("A heading that is a whole sentence, which goes on and on, until nobody reads it", ""),
    ],
)
def test_only_headings_that_name_a_subject_are_asked_about(heading: str, expected: str) -> None:
    assert subject(heading) == expected
