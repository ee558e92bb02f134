"""Which embedder is configured, what its fingerprint depends on, and which texts it supports."""

from pathlib import Path

import pytest

from chatapp import home
from chatapp.cli.checks import installed
from chatapp.cli.checks.finding import OK, WARN
from chatapp.home import model_folder
from chatapp.knowledge.built_in import BUILT_IN
from chatapp.knowledge.embedders import configured_embedder
from chatapp.knowledge.search.vectors import dimension, pack, unpack
from chatapp.settings import Settings, SettingsError
from tests.support.embedserver import EmbedServer

CONFIGURED = {"CHATAPP_EMBEDDER": "bge-m3", "CHATAPP_EMBEDDER_URL": "http://127.0.0.1:9/v1"}


def fingerprint(**changed: str) -> str:
    made = configured_embedder(Settings.from_env({**CONFIGURED, **changed}))
    assert made is not None
    return made.fingerprint.id


def test_vectors_that_cannot_be_compared_have_different_fingerprints() -> None:
    ids = {
        fingerprint(),
        fingerprint(CHATAPP_EMBEDDER="bge-small"),
        fingerprint(CHATAPP_EMBEDDER_URL="http://127.0.0.1:10/v1"),
        fingerprint(CHATAPP_EMBEDDER_QUERY_PREFIX="query: "),
        fingerprint(CHATAPP_EMBEDDER_PASSAGE_PREFIX="query: "),
    }
    assert len(ids) == 5


def test_a_new_key_or_weight_changes_no_vector() -> None:
    assert (
        fingerprint()
        == fingerprint(CHATAPP_EMBEDDER_KEY="sk-other")
        == fingerprint(CHATAPP_EMBEDDER_SHARE="30")
    )


def test_the_embedder_can_be_off(tmp_path: Path) -> None:
    assert configured_embedder(Settings(home=tmp_path, embedder="off")) is None


@pytest.mark.skipif(model_folder() is None, reason="set-up could not make the embedder")
def test_the_built_in_embedder_replaces_the_former_one(tmp_path: Path) -> None:
    embedder = configured_embedder(Settings(home=tmp_path))
    assert embedder is not None and embedder.fingerprint.model == "multilingual-e5-small"
    assert embedder.share == 0.65
    assert len(embedder.replaces) == 1 and embedder.fingerprint.id not in embedder.replaces
    other = configured_embedder(Settings.from_env({"CHATAPP_EMBEDDER_SHARE": "30"}))
    assert other is not None and other.share == 0.3 and other.fingerprint == embedder.fingerprint


def test_a_service_has_half_the_weight_unless_set() -> None:
    usual, other = (
        configured_embedder(Settings.from_env({**CONFIGURED, "CHATAPP_EMBEDDER_SHARE": share}))
        for share in ("", "0")
    )
    assert usual is not None and usual.share == 0.5
    assert other is not None and other.share == 0


@pytest.mark.parametrize(
    ("text", "is_read"),
    [
        ("How much leave is there?", True),
        ("Combien de jours de congé ? Đi đâu?", True),
        ("年假有多少天？", True),
        ("關於員工休假的規定", True),
        ("12.5 %", True),
        ("", False),
        ("[[[[ ---- ====", False),
        ("……　※※※", False),
        ("ISO 9001 に準拠", True),
        ("休暇は何日ありますか？", False),
        ("休暇\n\n休暇は年に三十日あります。", False),
        ("휴가는 며칠입니까?", False),
        ("Сколько дней отпуска?", False),
        ("Πόσες ημέρες άδειας;", False),
    ],
)
def test_the_built_in_embedder_reads_chinese_and_latin(text: str, is_read: bool) -> None:
    assert BUILT_IN["multilingual-e5-small"].reads(text) is is_read


def test_the_former_embedder_reads_english() -> None:
    former = BUILT_IN["all-MiniLM-L6-v2"]
    assert former.reads("How much leave is there?") and not former.reads("年假有多少天？")


def test_a_configured_embedder_gets_every_language() -> None:
    embedder = configured_embedder(Settings.from_env(CONFIGURED))
    assert embedder is not None and embedder.share == 0.5
    assert embedder.supports("How much leave is there?") and embedder.supports("年假有多少天？")


def test_a_model_needs_a_url() -> None:
    with pytest.raises(SettingsError, match="CHATAPP_EMBEDDER_URL"):
        Settings.from_env({"CHATAPP_EMBEDDER": "bge-m3"})
    with pytest.raises(SettingsError, match="CHATAPP_EMBEDDER_SHARE"):
        Settings.from_env({**CONFIGURED, "CHATAPP_EMBEDDER_SHARE": "101"})


def test_stored_vectors_have_length_one_and_a_direction() -> None:
    stored = pack([3.0, 4.0])
    assert unpack(stored) == pytest.approx([0.6, 0.8]) and dimension(stored) == 2
    for numbers in ([], [0.0, 0.0], [float("nan"), 1.0], [float("inf")]):
        with pytest.raises(ValueError):
            pack(numbers)


def test_a_question_is_compared_with_sentences() -> None:
    with EmbedServer() as server:
        compare_sentences(server)


def compare_sentences(embed_server: EmbedServer) -> None:
    embedder = configured_embedder(
        Settings(embedder="meanings", embedder_url=embed_server.base_url, query_prefix="q: ")
    )
    assert embedder is not None
    texts = ["Twenty days of leave.", "The canteen opens at noon."] * 20
    cosines = embedder.similarities("holiday entitlement", texts)
    assert cosines is not None and len(cosines) == 40
    assert cosines[0] > cosines[1] and cosines[:2] == pytest.approx(cosines[38:])
    embed_server.mood = "down"
    assert embedder.similarities("holiday entitlement", texts) is None


def test_doctor_tells_a_former_model_from_the_present_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    present, former = tmp_path / "present", tmp_path / "former"
    monkeypatch.setattr(home, "MODEL_FOLDERS", (present, former))
    monkeypatch.setattr(installed, "MODEL_FOLDERS", (present, former))
    found = []
    for folder in (None, former, present):
        if folder is not None:
            folder.mkdir()
            (folder / "model.json").write_text("{}")
        found += [(one.state, one.message) for one in installed.model(Settings())]
    assert [state for state, _ in found] == [WARN, WARN, OK]
    assert "missing" in found[0][1] and "earlier version" in found[1][1]
