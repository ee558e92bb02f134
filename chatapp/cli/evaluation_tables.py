"""The report of `eval` as tables: one table per subject, one row per figure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from chatapp.cli.terminal import GAP, out, plain, say, width
from chatapp.knowledge.evaluation.estimates import Estimate
from chatapp.knowledge.evaluation.outcome import (
    ANSWERS,
    BY_MEANING,
    CORPUS,
    COVERAGE_BUCKETS,
    COVERAGE_EDGES,
    EXCERPTS,
    FOREIGN,
    IN_TOPIC,
    PARAGRAPHS,
    RECALL_DEPTHS,
    RETRIEVAL,
    Figures,
    Outcome,
    Report,
)

WORTH_A_WARNING = 0.01  # of searches in which a model did not answer
RANK = "mrr"  # the only figure that is not a share


@dataclass(frozen=True, slots=True)
class _Row:
    """A figure and its label."""

    group: str
    figure: str
    label: str


@dataclass(frozen=True, slots=True)
class _Section:
    """The rows about one subject."""

    title: str
    rows: Sequence[_Row]


def print_report(report: Report, names: Sequence[str]) -> None:
    """Print all figures; `names` are those of the one or two settings."""
    shown = list(zip(report.outcomes, names, strict=True))
    out(_heading(report))
    for outcome, name in shown:
        _print_setting(outcome, name)
        if outcome.split_otherwise:
            count, files = f"{outcome.split_otherwise:,}", f"{report.files:,}"
            out(say("eval.split_otherwise", count=count, files=files))
    columns = [report.figures(outcome) for outcome in report.outcomes]
    differences = report.differences()
    sections = list(_sections(report, columns[0]))
    titles = [say("eval.column.questions"), *_value_titles(names)]
    _print_tables(
        [
            [[one.title, *titles], *(_cells(row, columns, differences) for row in one.rows)]
            for one in sections
        ]
    )
    out()
    for outcome, name in shown:
        p50, p95 = (f"{value:.0f}" for value in (outcome.p50_ms, outcome.p95_ms))
        out(say("eval.latency", name=name, p50=p50, p95=p95))
    out(say("eval.about.interval"))
    if differences:
        out(say("eval.about.difference"))


def _print_tables(tables: Sequence[Sequence[Sequence[str]]]) -> None:
    """Print tables with the same columns; numbers are aligned to the right."""
    rows = [row for one in tables for row in one]
    widths = [max(width(row[place]) for row in rows) for place in range(len(rows[0]))]
    for one in tables:
        out()
        for label, *numbers in one:
            blanks = (most - width(cell) for most, cell in zip(widths[1:], numbers, strict=True))
            padded = [" " * blank + cell for blank, cell in zip(blanks, numbers, strict=True)]
            out(GAP.join([label + " " * (widths[0] - width(label)), *padded]).rstrip())


def _heading(report: Report) -> str:
    key = "eval.measured" if report.kind == PARAGRAPHS else "eval.measured_documents"
    files, questions = f"{report.files:,}", f"{report.questions:,}"
    return say(key, name=plain(report.name), files=files, questions=questions)


def _print_setting(outcome: Outcome, name: str) -> None:
    model = plain(outcome.embedder or "") or say("word.none")
    out(say("eval.embedder", name=name, embedder=model))
    if outcome.reranker:
        out(say("eval.reranker", name=name, reranker=plain(outcome.reranker)))
    if outcome.splitting == BY_MEANING:
        out(say("eval.by_meaning", name=name))
    searches = f"{outcome.searches:,}"
    if outcome.words_only > WORTH_A_WARNING * outcome.searches:
        out(say("eval.fell_back", count=f"{outcome.words_only:,}", searches=searches))
    if outcome.not_reranked > WORTH_A_WARNING * outcome.searches:
        out(say("eval.not_reranked", count=f"{outcome.not_reranked:,}", searches=searches))


def _sections(report: Report, figures: Mapping[str, Figures]) -> Iterator[_Section]:
    """Yield the tables of this kind of set, without rows that have no questions."""
    made = _of_paragraphs() if report.kind == PARAGRAPHS else _of_excerpts(figures)
    for section in made:
        rows = [row for row in section.rows if row.group in figures]
        if rows:
            yield _Section(section.title, rows)


def _of_paragraphs() -> Iterator[_Section]:
    first, *further = RECALL_DEPTHS
    ranks = [_Row(RETRIEVAL, f"recall_at_{first}", say("eval.row.first"))]
    ranks += [
        _Row(RETRIEVAL, f"recall_at_{depth}", say("eval.row.among", count=depth))
        for depth in further
    ]
    ranks.append(_Row(RETRIEVAL, RANK, say("eval.row.rank")))
    yield _Section(say("eval.section.retrieval"), ranks)
    for depth, title in ((1, say("eval.section.first")), (5, say("eval.section.among", count=5))):
        buckets = zip(COVERAGE_BUCKETS, _bucket_labels(), strict=True)
        figure = f"recall_at_{depth}"
        yield _Section(title, [_Row(bucket, figure, label) for bucket, label in buckets])
    answers = (
        ("right", say("eval.row.right")),
        ("other", say("eval.row.other")),
        ("declined", say("eval.row.declined")),
    )
    yield _Section(
        say("eval.section.answers"), [_Row(ANSWERS, figure, label) for figure, label in answers]
    )
    unanswerable = ((FOREIGN, say("eval.row.foreign")), (IN_TOPIC, say("eval.row.in_topic")))
    yield _Section(
        say("eval.section.unanswerable"),
        [_Row(group, "declined", label) for group, label in unanswerable],
    )


def _of_excerpts(figures: Mapping[str, Figures]) -> Iterator[_Section]:
    rows = (
        ("recall", say("eval.row.recall")),
        ("precision", say("eval.row.precision")),
        ("iou", say("eval.row.iou")),
    )
    yield _Section(
        say("eval.section.excerpts"), [_Row(EXCERPTS, figure, label) for figure, label in rows]
    )
    corpora = [group for group in figures if group.startswith(CORPUS)]
    yield _Section(
        say("eval.section.corpora"),
        [_Row(group, "recall", plain(group.removeprefix(CORPUS))) for group in corpora],
    )


def _bucket_labels() -> Iterator[str]:
    edges = [f"{100 * edge:.0f}" for edge in COVERAGE_EDGES]
    yield say("eval.row.below", share=edges[0])
    for low, high in pairwise(edges):
        yield say("eval.row.between", low=low, high=high)
    yield say("eval.row.above", share=edges[-1])


def _value_titles(names: Sequence[str]) -> list[str]:
    if len(names) == 1:
        return [say("eval.column.value"), say("eval.column.interval")]
    return [*names, say("eval.column.difference"), say("eval.column.interval")]


def _cells(
    row: _Row, columns: Sequence[Mapping[str, Figures]], differences: Mapping[str, Figures]
) -> list[str]:
    found = [column[row.group].estimates[row.figure] for column in columns]
    cells = [row.label, f"{columns[0][row.group].questions:,}"]
    cells += [_value(row.figure, each.value) for each in found]
    if not differences:
        return [*cells, _interval(row.figure, found[0])]
    difference = differences[row.group].estimates[row.figure]
    reliable = " *" if difference.low > 0 or difference.high < 0 else "  "
    return [
        *cells,
        _number(row.figure, difference.value, "+") + reliable,
        _interval(row.figure, difference, "+"),
    ]


def _value(figure: str, value: float) -> str:
    number = _number(figure, value)
    return number if figure == RANK else say("eval.percent", value=number)


def _interval(figure: str, estimate: Estimate, sign: str = "") -> str:
    return f"{_number(figure, estimate.low, sign)} … {_number(figure, estimate.high, sign)}"


def _number(figure: str, value: float, sign: str = "") -> str:
    shown = f"{value:{sign}.3f}" if figure == RANK else f"{100 * value:{sign}.1f}"
    return shown if float(shown) else shown.lstrip("+-")
