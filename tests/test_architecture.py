"""The rules of docs/architecture.md as data: layers, doors to foreign libraries, sizes."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "chatapp"

# Who may import whom: a part imports its own layer and those below it. Parts of one tuple entry are
# one layer; `chat` and `processes` stand side by side and may not import each other.
LAYERS = (
    (
        "core",
        "metrics",
        "child",
        "stems",
        "errors",
        "i18n",
        "logs",
        "addresses",
        "open_files",
        "setting_types",
    ),
    ("settings", "home"),
    ("storage",),
    ("identity",),
    ("chains",),
    ("knowledge",),
    ("chat", "processes", "backups"),
    ("web",),
    ("", "cli", "__main__"),  # "" is create_app's own module
)
STRANGERS = ({"chat", "processes", "backups"},)

# A foreign library, and where alone it is seen.
DOORS = {
    "langchain": ("chains/",),
    "langchain_core": ("chains/",),
    "langchain_openai": ("chains/",),
    "openai": ("chains/",),
    "tiktoken": ("chains/",),
    "urllib3": ("chains/", "knowledge/json_client.py"),
    "chromadb": ("knowledge/chroma.py",),
    "numpy": ("knowledge/search/exact.py", "knowledge/recognition/", "processes/embedder.py"),
    "onnxruntime": ("knowledge/recognition/", "processes/embedder.py"),
    "tokenizers": ("processes/embedder.py",),
    "pi_heif": ("knowledge/recognition/",),
    "pypdfium2": ("knowledge/",),
    "PIL": ("knowledge/",),
    "selectolax": ("knowledge/",),
    "lxml": ("knowledge/",),
    "olefile": ("knowledge/formats/compound.py",),
    "python_calamine": ("knowledge/formats/xls.py",),
    "charset_normalizer": ("knowledge/",),
    "gevent": ("chat/runs/", "chains/http/", "storage/", "web/connection.py"),
    "gunicorn": ("web/worker.py", "web/unparsed.py", "web/errors.py", "processes/listening.py"),
    "idna": ("knowledge/web_pages/address.py",),
    "authlib": ("identity/oidc.py",),
    "joserfc": ("identity/oidc.py",),
    "requests": ("identity/oidc.py",),
    "cryptography": ("identity/secrets.py",),
    "alembic": ("storage/migrate.py",),
    "flask_migrate": ("storage/migrate.py",),
    "flask_sqlalchemy": ("storage/models.py",),
    "flask_openapi3": ("web/", "__init__.py"),
    "flask": ("web/", "storage/migrate.py"),
    "pydantic": ("web/", "chains/"),
    "click": ("cli/",),
    "mcp": ("cli/mcp_server.py",),
    "dotenv": ("settings.py",),
}
STANDARD_LIBRARY_ONLY = (
    "addresses.py",
    "core/",
    "metrics/",
    "child.py",
    "errors.py",
    "home.py",
    "i18n.py",
    "open_files.py",
    "processes/environment.py",
    "processes/heartbeat.py",
    "processes/helpers.py",
    "processes/supervisor.py",
    "processes/watched.py",
    "processes/web_server.py",
)
MOST_MODULES_AT_THE_TOP = 12
REQUEST_NAMES = {"request", "current_app", "g", "session", "stream_with_context"}
READS_ENVIRON = (
    "settings.py",
    "chains/tracing.py",  # removes LangChain's
    "knowledge/ingest/sandbox.py",
    "processes/environment.py",
)  # the others hand variables on to child processes
BEGINS_TRANSACTIONS = ("storage/database.py",)
CONNECTS = (
    "storage/copies.py",
    "storage/database.py",
    "storage/faults.py",
    "storage/migrate.py",
    "storage/vacuum.py",
)
# These match Chinese in questions, documents or suppliers' errors; texts for people are elsewhere.
READS_CHINESE = (
    "chains/small_talk.py",
    "chains/extractive.py",
    "knowledge/suggestions.py",
    "core/quoting.py",
    "chains/followup.py",
    "chains/error_body.py",
    "chains/refusals.py",
    "chains/retry_delay.py",
    "chains/stream_errors.py",
    "core/chinese.py",
    "core/prompt.py",
    "core/text.py",
    "knowledge/formats/",
    "i18n.py",  # spaces beside Chinese words
    "knowledge/recognition/layout.py",
    "knowledge/manual.py",  # the manual's name, which is the same in all languages
    "web/pages.py",  # the languages' own names
)
BAD_NAMES = {"utils", "util", "helper", "manager", "base", "common", "misc"}
MOST_LINES, MOST_FUNCTION_LINES, MOST_COLUMNS = 350, 60, 100
BEGINS = re.compile(r"\b(engine|connection|session|t|transaction)\.begin(_nested)?$", re.IGNORECASE)
HAN = re.compile(r"[\u3400-\u9fff]")
MARKUP = re.compile(
    r"\b(innerHTML|outerHTML|insertAdjacentHTML|setHTMLUnsafe|document\.write|createContextualFragment)\b"
)
CODE_FROM_TEXT = re.compile(r"\beval\(|\bnew Function\(|\bset(Timeout|Interval)\(\s*[\"'`]")

FILES = sorted(PACKAGE.rglob("*.py"))
PAGE_FILES = sorted(
    path
    for folder in ("static/js", "static/css", "tests/js")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".js", ".css")
)


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree(path)))


def within(path: Path, places: tuple[str, ...]) -> bool:
    return any(
        name(path) == place or (place.endswith("/") and name(path).startswith(place))
        for place in places
    )


def imports(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield (module, names) of every import; names are empty for a plain `import`."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{name(path)} imports relatively"
            yield node.module, tuple(alias.name for alias in node.names)


def module(path: Path) -> str:
    dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return dotted.removesuffix(".__init__")


MODULES = {module(path): path for path in FILES}


def own_imports(path: Path) -> set[str]:
    """Return our modules that a file imports; `from package import x` may be a module."""
    found: set[str] = set()
    for source, names in imports(path):
        if source.partition(".")[0] == "chatapp":
            inner = {f"{source}.{each}" for each in names} & MODULES.keys()
            found |= inner | ({source} if not names or len(inner) < len(names) else set())
    return found


def layer(dotted: str) -> int:
    found = [number for number, parts in enumerate(LAYERS) if part(dotted) in parts]
    assert found, f"{dotted} has no layer: give it one in tests/test_architecture.py"
    return found[0]


def part(dotted: str) -> str:
    return dotted.removeprefix("chatapp").removeprefix(".").partition(".")[0]


def strings(path: Path) -> Iterator[ast.Constant]:
    return (
        node
        for node in nodes(path)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


@pytest.fixture(scope="module", autouse=True)
def forget() -> Iterator[None]:
    """Later tests need no memory full of syntax trees."""
    yield
    tree.cache_clear()
    nodes.cache_clear()


def for_each(paths: list[Path]) -> Callable[[Callable[[Path], None]], Callable[[], None]]:
    """Make one test of a check of many files: four thousand tests cost more than what they do."""

    def of(check: Callable[[Path], None]) -> Callable[[], None]:
        def test() -> None:
            wrong = []
            for path in paths:
                try:
                    check(path)
                except AssertionError as fault:
                    wrong.append(f"{path.relative_to(ROOT)}: {fault}")
            assert paths and not wrong, "\n".join(wrong)

        test.__doc__ = check.__doc__
        return test

    return of


@for_each(FILES)
def test_nothing_imports_upwards(path: Path) -> None:
    own = layer(module(path))
    light = (
        {"chatapp"} if name(path) in ("web/mcp.py", "web/ops.py", "web/pages.py") else set()
    )  # for the version
    upwards = {found for found in own_imports(path) - light if layer(found) > own}
    assert not upwards, f"{name(path)} imports upwards: {sorted(upwards)}"
    for strangers in STRANGERS:
        if (mine := part(module(path))) in strangers:
            across = {found for found in own_imports(path) if part(found) in strangers - {mine}}
            assert not across, f"{name(path)} imports {sorted(across)}"


def test_few_modules_stand_at_the_top() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= MOST_MODULES_AT_THE_TOP


@for_each([path for path in FILES if path.name == "__init__.py" and path.parent != PACKAGE])
def test_packages_hand_names_on_and_hold_no_logic(path: Path) -> None:
    allowed = (ast.Import, ast.ImportFrom, ast.Expr, ast.Assign)
    assert all(isinstance(node, allowed) for node in tree(path).body), name(path)


def test_imports_have_no_cycles() -> None:
    graph = {
        dotted: own_imports(path) - {dotted, "chatapp"}
        for dotted, path in MODULES.items()
        if dotted != "chatapp"
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as fault:
        pytest.fail("imports in a circle: " + " → ".join(fault.args[1]))


@for_each(FILES)
def test_each_foreign_library_has_one_door(path: Path) -> None:
    seen = {source.partition(".")[0] for source, _ in imports(path)}
    wrong = sorted(library for library in seen & DOORS.keys() if not within(path, DOORS[library]))
    assert not wrong, (
        f"{name(path)} imports {wrong}; they belong to {[DOORS[library] for library in wrong]}"
    )


@for_each([path for path in FILES if within(path, STANDARD_LIBRARY_ONLY)])
def test_some_parts_use_the_standard_library_only(path: Path) -> None:
    foreign = (
        {source.partition(".")[0] for source, _ in imports(path)}
        - sys.stdlib_module_names
        - {"chatapp"}
    )
    assert not foreign
    if name(path).startswith("core/"):
        assert all(found.startswith("chatapp.core") for found in own_imports(path))


@for_each([path for path in FILES if not within(path, ("web/",))])
def test_the_request_is_seen_in_web_only(path: Path) -> None:
    assert not [
        names for source, names in imports(path) if source == "flask" and REQUEST_NAMES & set(names)
    ]


@for_each(FILES)
def test_transactions_begin_in_database_only(path: Path) -> None:
    sessions = made_sessions(path)
    for node in nodes(path):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) != ("db", "session"), (
                f"{name(path)}:{node.lineno} uses db.session"
            )
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if BEGINS.search(called):
            assert within(path, BEGINS_TRANSACTIONS), (
                f"{name(path)}:{node.lineno} begins a transaction"
            )
        if called.endswith("engine.connect"):
            assert within(path, CONNECTS), f"{name(path)}:{node.lineno} connects to the database"
        if called in sessions:
            assert within(path, BEGINS_TRANSACTIONS), f"{name(path)}:{node.lineno} makes a session"


MODELS = {node.name for node in tree(PACKAGE / "storage/models.py").body
          if isinstance(node, ast.ClassDef)}  # fmt: skip


@for_each(FILES)
def test_models_are_not_queried_by_themselves(path: Path) -> None:
    """Flask-SQLAlchemy's `Model.query` begins a transaction in whatever thread it is called."""
    for node in nodes(path):
        if isinstance(node, ast.Attribute) and node.attr == "query":
            found = ast.unparse(node.value).rpartition(".")[2]
            assert found not in MODELS, f"{name(path)}:{node.lineno} uses {found}.query"


def made_sessions(path: Path) -> set[str]:
    """Return the names under which a file knows what makes SQLAlchemy sessions."""
    makers = {"Session", "sessionmaker", "scoped_session"}
    return {
        alias.asname or alias.name
        for node in nodes(path)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy.orm")
        for alias in node.names
        if alias.name in makers
    }


@for_each(FILES)
def test_the_environment_is_read_by_settings_only(path: Path) -> None:
    if within(path, READS_ENVIRON):
        return
    for node in nodes(path):
        if isinstance(node, ast.Attribute):
            assert ast.unparse(node) not in ("os.environ", "os.getenv"), (
                f"{name(path)}:{node.lineno}"
            )


@for_each(FILES)
def test_texts_for_people_are_in_the_catalogue(path: Path) -> None:
    if not within(path, READS_CHINESE):
        assert not [node.lineno for node in strings(path) if HAN.search(str(node.value))]


@for_each(FILES)
def test_files_and_functions_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES
    functions = (node for node in nodes(path) if isinstance(node, ast.FunctionDef))
    long = [
        f"{node.name}: {length}"
        for node in functions
        if (length := lines(node)) > MOST_FUNCTION_LINES
    ]
    assert not long, f"{name(path)}: {long}"


def lines(node: ast.FunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_modules_are_named_after_what_they_own() -> None:
    assert not [name(path) for path in FILES if path.stem in BAD_NAMES]


@for_each(FILES)
def test_a_module_says_what_it_owns(path: Path) -> None:
    if path.read_text(encoding="utf-8").strip():
        assert ast.get_docstring(tree(path)), f"{name(path)} has no docstring"


@for_each(sorted((ROOT / "static" / "js").rglob("*.js")))
def test_markup_enters_the_page_through_one_door(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if path.relative_to(ROOT / "static" / "js").as_posix() != "markdown/safe.js":
        assert not MARKUP.search(text)
    assert not CODE_FROM_TEXT.search(text)
    assert not HAN.search(re.sub(r"//.*|/\*[\s\S]*?\*/", "", text)), "texts belong into static/i18n"


@for_each(PAGE_FILES)
def test_scripts_and_style_sheets_are_short(path: Path) -> None:
    lines_of = path.read_text(encoding="utf-8").splitlines()
    wide = [number for number, line in enumerate(lines_of, 1) if len(line) > MOST_COLUMNS]
    assert not wide, f"{path.name}: lines {wide} are longer than {MOST_COLUMNS} columns"
    assert len(lines_of) <= MOST_LINES or "tests" in path.parts


@for_each([path for path in PAGE_FILES if path.suffix == ".css"])
def test_style_sheets_hold_one_declaration_a_line(path: Path) -> None:
    text = re.sub(r"\"[^\"]*\"|/\*[\s\S]*?\*/", "", path.read_text(encoding="utf-8"))
    packed = [number for number, line in enumerate(text.splitlines(), 1) if line.count(";") > 1]
    assert not packed, f"{path.name}: lines {packed}"


@for_each(sorted((ROOT / "templates").rglob("*.html")))
def test_templates_hold_no_texts_and_no_code(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not HAN.search(text)
    assert not re.search(r"\son[a-z]+=|\sstyle=|javascript:", text)


def test_the_supervisor_stays_small() -> None:
    """It is not patched, and imports none of the large packages."""
    code = (
        "import sys, app, chatapp.processes.supervisor;"
        "print([m for m in ('ssl', 'flask', 'gevent', 'gunicorn', 'click') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@for_each(sorted((ROOT / "tests").rglob("test_*.py")))
def test_no_test_imports_another(path: Path) -> None:
    """What tests share is in tests/support/."""
    for node in nodes(path):
        if isinstance(node, ast.ImportFrom):
            leaf = (node.module or "").rpartition(".")[2]
            assert not leaf.startswith("test_") and leaf != "conftest", f"line {node.lineno}"


def test_tests_patch_the_standard_library_as_the_product_does() -> None:
    """With gevent's own `patch_all`, threads wait for locks that the product does not have."""
    patches = "monkey." + "patch_all()"
    files = [*FILES, *(ROOT / "tests").rglob("*.py"), *ROOT.glob("*.py")]
    names = [path.relative_to(ROOT).as_posix() for path in files if patches in path.read_text()]
    assert sorted(names) == ["chatapp/storage/native_locks.py", "tests/support/standins.py"]
