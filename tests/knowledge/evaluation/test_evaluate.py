"""The figures of a set in SQuAD's format, on sets small enough to count by hand."""

from pathlib import Path

import pytest

from chatapp.errors import EmbedderUnavailable
from chatapp.knowledge.evaluation.coverage import coverages
from chatapp.knowledge.evaluation.evaluate import evaluate
from chatapp.knowledge.evaluation.outcome import Report
from chatapp.knowledge.evaluation.questions import InvalidSet, load
from chatapp.settings import OFF, Settings
from tests.support.embedserver import EmbedServer
from tests.support.question_sets import TOWNS, asked, paragraph, write_squad, write_towns
from tests.support.rerankserver import RerankServer

WORDS_ONLY = Settings(embedder=OFF)


def embedding_at(server: EmbedServer, **more: str) -> Settings:
    return Settings(embedder="a-model", embedder_url=server.base_url, **more)


def value(report: Report, group: str, figure: str) -> float:
    return report.figures(report.outcome)[group].estimates[figure].value


def test_the_report_counts_found_answered_and_declined_questions(tmp_path: Path) -> None:
    report = evaluate(write_towns(tmp_path / "squad.json"), WORDS_ONLY)
    figures = report.figures(report.outcome)
    assert (report.kind, report.files, report.questions) == ("paragraphs", 8, 8)
    assert figures["retrieval"].questions == 8
    for figure in ("recall_at_1", "recall_at_5", "recall_at_10", "mrr"):
        assert value(report, "retrieval", figure) == 1
    assert value(report, "answers", "right") == 1
    assert figures["foreign"].questions == 8
    assert 0 <= value(report, "foreign", "declined") <= 1
    assert "in_topic" not in figures  # no article has a paragraph that could remain


def test_questions_whose_paragraph_alone_is_left_out_are_asked_too(tmp_path: Path) -> None:
    articles = [
        [
            paragraph(
                f"The {room} of {town} was painted by {town}{room}er.",
                asked(f"Who painted the {room} of {town}?", f"{town}{room}er"),
            )
            for room in ("hall", "kitchen", "cellar", "attic")
        ]
        for town in TOWNS
    ]
    report = evaluate(write_squad(tmp_path / "squad.json", *articles), WORDS_ONLY)
    figures = report.figures(report.outcome)
    assert figures["in_topic"].questions == len(TOWNS)  # a quarter of each article
    assert figures["foreign"].questions == 4 * len(TOWNS)
    # "kitchen" and "Bonn" remain, in other paragraphs: harder than another subject.
    assert value(report, "in_topic", "declined") <= value(report, "foreign", "declined")


def test_the_configured_embedder_is_measured_beside_words(tmp_path: Path) -> None:
    file = write_squad(
        tmp_path / "squad.json",
        [paragraph("Leave takes thirty days.", asked("vacation?", "thirty days"))],
        [paragraph("Each car is red.", asked("automobile?", "red"))],
    )
    with EmbedServer() as server:
        report = evaluate(file, embedding_at(server), WORDS_ONLY)
        texts = server.texts()
    assert report.outcome.embedder == "a-model"
    assert report.against is not None and report.against.embedder is None
    assert "vacation?" in texts and any("thirty days" in text for text in texts)
    assert value(report, "retrieval", "recall_at_1") == 1
    found = report.differences()["retrieval"].estimates["recall_at_1"]
    assert (found.value, found.low, found.high) == (1, 1, 1)
    assert report.outcome.words_only == 0


def test_the_built_in_model_compares_sentences_with_the_embedder(tmp_path: Path) -> None:
    sentence = "Each holiday is thirty days long."
    file = write_squad(
        tmp_path / "squad.json",
        [paragraph(f"{sentence} Our office has a garden.", asked("How long is it?", "thirty"))],
    )
    with EmbedServer() as server:
        evaluate(file, embedding_at(server))
        assert sentence in server.texts()


def test_two_settings_are_asked_the_same_questions(tmp_path: Path) -> None:
    file = write_towns(tmp_path / "squad.json")
    with EmbedServer() as server:
        report = evaluate(file, embedding_at(server), embedding_at(server), sample=5)
    assert report.questions == 5
    assert report.against is not None
    assert report.outcome.values == report.against.values
    assert all(
        each.value == 0
        for group in report.differences().values()
        for each in group.estimates.values()
    )


def test_searches_that_the_embedder_did_not_answer_are_counted(tmp_path: Path) -> None:
    file = write_towns(tmp_path / "squad.json")
    with EmbedServer() as server:
        server.refused = "query: "
        report = evaluate(file, embedding_at(server, query_prefix="query: "))
    assert report.outcome.words_only >= 8
    assert value(report, "retrieval", "recall_at_1") == 1


def test_an_embedder_that_fails_for_a_moment_is_asked_again(tmp_path: Path) -> None:
    file = write_squad(
        tmp_path / "squad.json",
        [paragraph("Leave takes thirty days.", asked("vacation?", "thirty days"))],
    )
    with EmbedServer() as server:
        server.failing = {2}  # the first one only asks whether it answers
        report = evaluate(file, embedding_at(server))
    assert value(report, "retrieval", "recall_at_1") == 1
    assert report.outcome.words_only == 0


def test_the_configured_reranker_is_measured_and_its_failures_counted(tmp_path: Path) -> None:
    file = write_towns(tmp_path / "squad.json")
    with RerankServer() as server:
        settings = Settings(embedder=OFF, reranker="a-reranker", reranker_url=server.base_url)
        good = evaluate(file, settings)
        server.mood = "down"
        bad = evaluate(file, settings)
    assert good.outcome.reranker == "a-reranker"
    assert good.outcome.not_reranked == 0
    assert bad.outcome.not_reranked >= 8


def test_an_embedder_that_refuses_the_key_ends_the_measurement(tmp_path: Path) -> None:
    file = write_towns(tmp_path / "squad.json")
    with EmbedServer() as server, pytest.raises(EmbedderUnavailable) as fault:
        server.mood = "key"
        evaluate(file, embedding_at(server))
    assert fault.value.key.endswith("key")


def test_questions_in_another_language_are_crossed_by_id(tmp_path: Path) -> None:
    chinese = write_squad(
        tmp_path / "zh.json",
        [
            paragraph("Anna Weber 在 Bonn 收集邮票。", asked("安娜收集什么？", "邮票", id="a")),
            paragraph("Karl Lang 在 Kiel 修理自行车。", asked("卡尔修理什么？", "自行车", id="k")),
            paragraph("Ida Roth 在 Jena 养蜂。", asked("伊达养什么？", "蜂", id="only here")),
        ],
    )
    english = write_squad(
        tmp_path / "en.json",
        [
            paragraph("Karl mends bicycles.", asked("Karl Lang, Kiel?", "bicycles", id="k")),
            paragraph("Anna collects stamps.", asked("Anna Weber, Bonn?", "stamps", id="a")),
        ],
    )
    report = evaluate(chinese, WORDS_ONLY, questions_of=english)
    assert (report.files, report.questions) == (3, 2)
    assert value(report, "retrieval", "recall_at_1") == 1
    # "stamps" is in no paragraph: an answer that cites the paragraph is right.
    assert value(report, "answers", "right") == 1
    with pytest.raises(InvalidSet, match="parallel"):
        load(chinese, write_towns(tmp_path / "towns.json"))


def test_a_set_that_is_already_crossed_is_compared_by_the_paragraph(tmp_path: Path) -> None:
    file = write_squad(
        tmp_path / "crossed.json",
        [paragraph("Anna Weber 在 Bonn 收集邮票。", asked("Anna Weber, Bonn?", "stamps"))],
        [paragraph("Karl Lang 在 Kiel 修理自行车。", asked("卡尔修理什么？", "自行车"))],
    )
    first, second = (article.questions[0] for article in load(file))
    assert (first.answers, second.answers) == ((), ("自行车",))


def test_equal_paragraphs_are_one_file(tmp_path: Path) -> None:
    file = write_squad(
        tmp_path / "squad.json",
        [paragraph("Anna collects stamps.", asked("What does Anna collect?", "stamps"))],
        [paragraph("Anna collects stamps.", asked("Who collects stamps?", "Anna"))],
    )
    report = evaluate(file, WORDS_ONLY)
    assert (report.files, report.questions) == (1, 2)
    assert value(report, "retrieval", "recall_at_1") == 1


def test_coverage_is_the_share_of_the_questions_words_in_its_paragraph(tmp_path: Path) -> None:
    file = write_squad(
        tmp_path / "squad.json",
        [
            paragraph(
                "Anna collects stamps.",
                asked("What stamps does Anna collect?", "stamps"),
                asked("Which philatelist lives in Bonn?", "Anna"),
                asked("Anna or Karl?", "Anna"),
            ),
            paragraph("Karl mends bicycles."),
        ],
    )
    assert coverages(load(file)) == [1, 0, 0.5]
    report = evaluate(file, WORDS_ONLY)
    buckets = {
        group: each.questions
        for group, each in report.figures(report.outcome).items()
        if group.startswith("coverage")
    }
    assert buckets == {"coverage<.3": 1, "coverage.5-.7": 1, "coverage>.9": 1}


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"data": []}', '{"data": [{"title": "a"}]}'])
def test_a_file_in_another_format_is_reported(tmp_path: Path, content: str) -> None:
    file = tmp_path / "other.json"
    file.write_text(content, "utf-8")
    with pytest.raises(InvalidSet, match="format"):
        load(file)
