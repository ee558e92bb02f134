"""Splitting by meaning with the built-in embedder, on the real service."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatapp.home import model_folder
from chatapp.settings import BUILTIN
from tests.support.service import Service, wait_for

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(
        model_folder() is None and os.environ.get("CI") != "true",
        reason="set-up could not make the embedder",
    ),
]

ENGLISH = (
    "Hens lay most of their eggs in spring, when the days grow longer. "
    "A healthy hen needs grit, fresh water and a dry nest. "
    "In winter the birds lose feathers and stop laying for some weeks. "
    "Foxes dig under fences, so the coop is closed at dusk. "
    "Chicks are kept under a lamp until they have feathers. ",
    "The mortgage runs for twenty years at a fixed rate of interest. "
    "The bank may ask for a new valuation of the house. "
    "Repayments are due on the first working day of each month. "
    "Whoever repays early owes the bank a fee of one percent. "
    "The loan is secured by an entry in the land register. ",
)
CHINESE = (
    "母鸡在春天白昼变长的时候下蛋最多。健康的母鸡需要沙砾、清水和干燥的窝。冬天母鸡换羽，会停止下蛋几个星期。"
    "狐狸会在篱笆下面打洞，所以傍晚要关好鸡舍。小鸡长出羽毛以前要放在保温灯下面。",
    "房屋贷款的期限是二十年，利率固定不变。银行可以要求重新评估房屋的价值。每月第一个工作日偿还贷款的本金和利息。"
    "提前还款的人要向银行支付百分之一的手续费。贷款以房产登记作为抵押担保。",
)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Service]:
    """A service whose document worker and embedder start at the first upload."""
    with Service(
        tmp_path / "home", CHATAPP_EMBEDDER=BUILTIN, CHATAPP_SPLITTING="meaning"
    ) as service:
        yield service


def test_chunks_end_where_the_topic_changes(running: Service, tmp_path: Path) -> None:
    texts = {"en.txt": ENGLISH, "zh.txt": CHINESE}
    for name, topics in texts.items():
        (tmp_path / name).write_text("".join(topics), "utf-8")
    base = running.post("/api/knowledge", {"name": "Mixed"}).json
    assert base["splitting"] == "meaning"
    path = f"/api/knowledge/{base['id']}/files"
    assert running.upload(base["id"], *[tmp_path / name for name in texts]).status == 202
    wait_for(
        lambda: [each["status"] for each in running.get(path).json["items"]] == ["ready"] * 2,
    )
    for file in running.get(path).json["items"]:
        assert (file["split"], file["split_reason"]) == ("meaning", None), file["name"]
        chunks = [each["text"] for each in running.get(f"{path}/{file['id']}/chunks").json["items"]]
        assert chunks == [topic.strip() for topic in texts[file["name"]]]
