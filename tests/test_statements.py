"""docs/security.md: each of the 44 statements has tests that exist, or one of a few reasons."""

import ast
import re

from tests.support.docs import ROOT, SECURITY, read

STATEMENT = re.compile(r"^\| (\d+) \| ([^|]+) \| (.+) \|$", re.MULTILINE)
NAME = re.compile(r"`([^`]+)`")
MOST_REASONS = 4
# Each runs code that it is given as data.
FORBIDDEN_IMPORTS = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle"}
FORBIDDEN_CALLS = {"eval", "exec", "compile"}


def test_every_statement_is_proved_or_has_a_reason() -> None:
    found = STATEMENT.findall(read(SECURITY))
    assert [int(number) for number, _, _ in found] == list(range(1, 45))
    known = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", read(path))
    }
    known |= {
        name
        for path in (ROOT / "tests" / "js").glob("*.test.js")
        for name in re.findall(r"test\('([^']+)'", read(path))
    }
    for number, _, proof in found:
        tests = set(NAME.findall(proof))
        assert tests <= known, (number, tests - known)
        assert tests or proof.startswith("Reason: "), number
    assert sum(proof.startswith("Reason: ") for _, _, proof in found) <= MOST_REASONS


def test_nothing_runs_what_it_reads() -> None:
    for path in (ROOT / "chatapp").rglob("*.py"):
        for node in ast.walk(ast.parse(read(path))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names]
                modules = [getattr(node, "module", None) or "", *names]
                assert not FORBIDDEN_IMPORTS & {name.partition(".")[0] for name in modules}, path
                assert not any(name.startswith("langchain_core.load") for name in modules), path
            elif isinstance(node, ast.Call):
                assert not _runs_code(node), f"{path.relative_to(ROOT)}:{node.lineno}"


def _runs_code(call: ast.Call) -> bool:
    called = ast.unparse(call.func)
    if any(word.arg in ("trust_remote_code", "allow_pickle") for word in call.keywords):
        return True
    if isinstance(call.func, ast.Name):
        return called in FORBIDDEN_CALLS
    return called in ("yaml.load", "numpy.load", "np.load")


def test_what_models_and_documents_say_is_no_template() -> None:
    for path in (ROOT / "chatapp").rglob("*.py"):
        assert "render_template_string" not in read(path), path
        assert "from_template" not in read(path), path
