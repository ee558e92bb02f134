"""What one setting achieved on a set: a value per question, from which all figures follow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from chatapp.knowledge.evaluation.estimates import Estimate, differences, estimate

# group of questions → figure → a value (0..1) per question
Values: TypeAlias = Mapping[str, Mapping[str, list[float]]]

BY_MEANING = "meaning"  # the value of CHATAPP_SPLITTING
PARAGRAPHS = "paragraphs"  # the kinds of sets; the other is EXCERPTS
RETRIEVAL, ANSWERS, IN_TOPIC, FOREIGN, EXCERPTS = (
    "retrieval",
    "answers",
    "in_topic",
    "foreign",
    "excerpts",
)
CORPUS = "corpus:"  # followed by its name
COVERAGE_EDGES = (0.3, 0.5, 0.7, 0.9)
COVERAGE_BUCKETS = ("coverage<.3", "coverage.3-.5", "coverage.5-.7", "coverage.7-.9", "coverage>.9")
RECALL_DEPTHS = (1, 5, 10)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The values of one setting.

    `milliseconds` are those of single searches, sorted. `words_only` and `not_reranked` count the
    searches in which the embedder or the reranker did not answer, `split_otherwise` the files that
    were not split as configured.
    """

    embedder: str | None
    reranker: str | None
    splitting: str
    values: Values
    milliseconds: list[float]
    searches: int
    words_only: int
    not_reranked: int
    split_otherwise: int

    @property
    def p50_ms(self) -> float:
        """The median time of a search."""
        return self.milliseconds[len(self.milliseconds) // 2]

    @property
    def p95_ms(self) -> float:
        """The time within which 95 % of the searches end."""
        return self.milliseconds[int(len(self.milliseconds) * 0.95)]


@dataclass(frozen=True, slots=True)
class Figures:
    """A group's figures, and the number of its questions."""

    questions: int
    estimates: Mapping[str, Estimate]

    def to_json(self) -> dict[str, Any]:
        """Return the figures by name, with the number of questions."""
        shown = {name: each.to_json() for name, each in self.estimates.items()}
        return {"questions": self.questions, **shown}


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of a set, where asked for beside those of another setting.

    `kind` is "paragraphs" (SQuAD's format) or "excerpts" (Chroma's).
    """

    kind: str
    name: str
    files: int
    questions: int
    outcome: Outcome
    against: Outcome | None = None

    @property
    def outcomes(self) -> list[Outcome]:
        """The outcome, and the one beside it."""
        return [self.outcome, *([self.against] if self.against is not None else [])]

    def figures(self, outcome: Outcome) -> dict[str, Figures]:
        """Return the figures of an outcome by group; groups without questions are left out."""
        return {
            group: Figures(_count(columns), estimate(columns))
            for group, columns in outcome.values.items()
            if _count(columns)
        }

    def differences(self) -> dict[str, Figures]:
        """Return this setting's figures minus the other's, by group."""
        if self.against is None:
            return {}
        return {
            group: Figures(_count(columns), differences(columns, self.against.values[group]))
            for group, columns in self.outcome.values.items()
            if _count(columns)
        }

    def to_json(self) -> dict[str, Any]:
        """Return all figures: shares are 0..1, times are milliseconds."""
        return {
            "kind": self.kind,
            "name": self.name,
            "files": self.files,
            "questions": self.questions,
            **self._shown(self.outcome),
            "against": self._shown(self.against) if self.against is not None else None,
            "differences": _to_json(self.differences()) or None,
        }

    def _shown(self, outcome: Outcome) -> dict[str, Any]:
        return {
            "embedder": outcome.embedder,
            "reranker": outcome.reranker,
            "splitting": outcome.splitting,
            "files_split_otherwise": outcome.split_otherwise,
            "figures": _to_json(self.figures(outcome)),
            "latency_ms": {"p50": round(outcome.p50_ms, 1), "p95": round(outcome.p95_ms, 1)},
            "searches": outcome.searches,
            "searches_by_words_only": outcome.words_only,
            "searches_not_reranked": outcome.not_reranked,
        }


def _count(columns: Mapping[str, list[float]]) -> int:
    return len(next(iter(columns.values()), []))


def _to_json(figures: Mapping[str, Figures]) -> dict[str, Any]:
    return {group: each.to_json() for group, each in figures.items()}
