"""`chatapp eval`: tables for people, JSON for programs, and errors in sentences."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from chatapp.cli.commands import commands
from tests.support.embedserver import EmbedServer
from tests.support.question_sets import write_excerpts, write_towns

Eval = Callable[..., Result]


@pytest.fixture
def evaluate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Eval:
    """Run the command with an embedder that is off unless a variable names one."""
    monkeypatch.chdir(tmp_path)

    def go(*words: str | Path, **variables: str) -> Result:
        env = {"CHATAPP_HOME": str(tmp_path / "home"), "CHATAPP_EMBEDDER": "off", **variables}
        return CliRunner().invoke(commands, ["eval", *map(str, words)], env=env)

    return go


@pytest.fixture
def towns(tmp_path: Path) -> Path:
    return write_towns(tmp_path / "towns.json")


def cells(output: str, label: str) -> str:
    """Return the cells behind a label, with single blanks between them."""
    line = next(line for line in output.splitlines() if line.startswith(label))
    return " ".join(line.removeprefix(label).split())


def test_the_report_is_a_table(evaluate: Eval, towns: Path) -> None:
    done = evaluate(towns)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("towns.json: 8 paragraphs, 8 questions\n")
    assert "Embedding model (configured): none" in done.stdout
    assert cells(done.stdout, "first ") == "8 100.0 % 100.0 … 100.0"
    assert "indexing 8 paragraphs" in done.stderr
    assert "about the same subject" not in done.stdout  # nothing to measure
    assert not (towns.parent / "home").exists()


def test_the_report_is_in_the_terminals_language(evaluate: Eval, towns: Path) -> None:
    done = evaluate(towns, "--sample", 3, LANG="zh_CN.UTF-8", LC_ALL="")
    assert done.stdout.startswith("towns.json：8 个段落，3 个问题\n")
    assert cells(done.stdout, "排在第一位 ") == "3 100.0% 100.0 … 100.0"


def test_two_settings_stand_side_by_side(evaluate: Eval, towns: Path) -> None:
    with EmbedServer() as server:
        done = evaluate(
            towns,
            "--against",
            "CHATAPP_EMBEDDER=a-model",
            "--against",
            f"CHATAPP_EMBEDDER_URL={server.base_url}",
            "--against",
            "CHATAPP_EMBEDDER_KEY=sk-secret",
        )
        assert "Bearer sk-secret" in server.keys
    assert done.exit_code == 0, done.output
    assert "setting 2 of 2" in done.stderr
    assert "Embedding model (configured): none" in done.stdout
    assert "CHATAPP_EMBEDDER=a-model" in done.stdout
    assert "sk-secret" not in done.output
    assert cells(done.stdout, "first ") == "8 100.0 % 100.0 % 0.0 0.0 … 0.0"
    assert "difference" in done.stdout


def test_programs_read_json(evaluate: Eval, towns: Path) -> None:
    done = evaluate(towns, "--against", "words", "--json")
    report = json.loads(done.stdout)
    assert (report["kind"], report["name"], report["files"]) == ("paragraphs", "towns.json", 8)
    assert report["figures"]["retrieval"] == {
        "questions": 8,
        "recall_at_1": {"value": 1, "low": 1, "high": 1},
        "recall_at_5": {"value": 1, "low": 1, "high": 1},
        "recall_at_10": {"value": 1, "low": 1, "high": 1},
        "mrr": {"value": 1, "low": 1, "high": 1},
    }
    assert report["setting"] == {}
    assert report["against"]["setting"] == {"CHATAPP_EMBEDDER": "off"}
    assert report["against"]["figures"] == report["figures"]
    assert report["differences"]["retrieval"]["mrr"] == {"value": 0, "low": 0, "high": 0}
    assert report["latency_ms"]["p50"] > 0


def test_a_folder_in_chromas_format_is_measured(evaluate: Eval, tmp_path: Path) -> None:
    text = "# Cats\n\nA cat named Tom ate a whole cheese."
    folder = write_excerpts(tmp_path / "set", {"cats": text}, {"Tom?": ("cats", ["Tom"])})
    done = evaluate(folder)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("set: 1 documents, 1 questions\n")
    assert cells(done.stdout, "share of the excerpts found (recall)").startswith("1 100.0 %")
    assert cells(done.stdout, "cats").startswith("1 100.0 %")
    refused = evaluate(folder, "--questions-of", write_towns(tmp_path / "towns.json"))
    assert refused.exit_code == 1
    assert "--questions-of" in refused.stderr


@pytest.mark.parametrize("wrong", ["nothing", "NO_SUCH_SETTING=1", "=", "PATH=/"])
def test_a_setting_that_is_none_is_misuse(evaluate: Eval, towns: Path, wrong: str) -> None:
    done = evaluate(towns, "--against", wrong)
    assert done.exit_code == 2
    assert "CHATAPP_EMBEDDER_SHARE=30" in done.stderr


def test_an_invalid_value_is_named(evaluate: Eval, towns: Path) -> None:
    done = evaluate(towns, "--against", "CHATAPP_EMBEDDER_SHARE=much")
    assert done.exit_code == 1
    assert "CHATAPP_EMBEDDER_SHARE" in done.stderr


def test_what_is_no_set_is_reported_in_a_sentence(evaluate: Eval, tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_text("[]", "utf-8")
    done = evaluate(file)
    assert (done.exit_code, "SQuAD" in done.stderr) == (1, True)
    assert "questions_df.csv" in evaluate(tmp_path).stderr
    assert json.loads(evaluate(file, "--json").stdout)["error"]["code"] == "eval_format"
    assert evaluate(tmp_path / "none.json").exit_code == 2


def test_an_embedder_that_is_away_is_named(evaluate: Eval, towns: Path) -> None:
    done = evaluate(towns, CHATAPP_EMBEDDER="a-model", CHATAPP_EMBEDDER_URL="http://127.0.0.1:9/v1")
    assert done.exit_code == 1
    assert "a-model" in done.stderr
    assert "--words-only" in done.stderr
