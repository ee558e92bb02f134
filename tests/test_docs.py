"""The documents agree with the code: settings, paths, labels, addresses, texts."""

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from chatapp import home
from chatapp.chains.presets import PRESETS
from chatapp.settings import Settings
from tests.support.docs import GUIDES, MANUALS, READMES, read, readme_blocks, settings

ROOT = Path(__file__).parent.parent
VARIABLE = re.compile(r"\b(?:CHATAPP_[A-Z_]+|OPENAI_[A-Z_]+|DATABASE_URL|WEB_CONCURRENCY)\b")
# A file with the settings, a key for one command, a switch of gunicorn.conf.py.
NOT_SETTINGS = {"CHATAPP_ENV_FILE", "CHATAPP_SUPPLIER_KEY", "CHATAPP_HELPERS"}
TOOLS_OWN = {".git", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"}
BINARY = {".png", ".pdf", ".docx", ".woff2"}
LABEL = {
    "en": re.compile(r"(?<![\w*])\*([^*\n]+)\*(?![\w*])"),
    "zh-CN": re.compile(r"“([^”\x00-\x7f]+)”"),
}
# A call in running text (the method may be left out), or an address in a command.
CALL = re.compile(
    r"`(?:(GET|POST|PUT|PATCH|DELETE) )?(/(?:api/|chat|openapi)[^`\s]*)`"
    r"|http://127\.0\.0\.1:8000(?!/v1)(/[^\s`\"')]+)"
)
# A file or folder of this repository in code marks.
FOLDERS = "chatapp|bench|docs|migrations|scripts|static|templates|tests"
PATH = rf"`((?:(?:{FOLDERS})/|(?:app|wsgi|gunicorn\.conf)\.py)[^\s`*<{{]*)`"
SENT = re.compile(r"(?:-d '|`)(\{\".*?\})['`]|`(\"\w+\": .*?)`")
# Addresses of package registries, folders of one machine; the pattern does not match itself.
PRIVATE = re.compile(
    r"https?://[^ \"'`)]*(pypi|npm|debian)|(?<![\w.])/(r[o]ot|h[o]me/\w+|w[o]rk|Us[e]rs)/"
)


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*## ", read(ROOT / "Makefile"), re.MULTILINE))


def example() -> dict[str, str]:
    return dict(re.findall(r"^([A-Z_]+)=(.*)$", read(ROOT / ".env.example"), re.MULTILINE))


def test_the_example_names_every_setting_and_no_other() -> None:
    assert example().keys() == settings().keys()


def test_the_example_shows_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = Settings.from_env(example())
    assert dataclasses.replace(shown, home=Settings().home) == Settings()
    assert shown.home == tmp_path / "instance"


@pytest.mark.parametrize("path", [*READMES, *MANUALS, *GUIDES], ids=lambda path: path.name)
def test_every_variable_and_target_that_a_document_names_exists(path: Path) -> None:
    assert set(VARIABLE.findall(read(path))) <= settings().keys() | NOT_SETTINGS
    assert set(re.findall(r"\bmake ([a-z-]+)`", read(path))) <= make_targets()


@pytest.mark.parametrize("path", [*READMES, *GUIDES], ids=lambda path: path.name)
def test_every_link_of_a_document_leads_to_a_file(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)|src=\"([^\"]+)\"", read(path)):
        name = "".join(target)
        assert name.startswith("http") or (path.parent / name).exists(), name


@pytest.mark.parametrize("path", [*READMES, *GUIDES], ids=lambda path: path.name)
def test_every_path_that_a_document_names_exists(path: Path) -> None:
    named = {name.rstrip("/") for name in re.findall(PATH, read(path))}
    assert not {name for name in named if not (ROOT / name).exists()}


def test_the_architecture_names_every_room() -> None:
    text = read(ROOT / "docs" / "architecture.md")
    rooms = {path.parent.name for path in (ROOT / "chatapp").glob("*/__init__.py")}
    assert rooms and all(f"`chatapp/{room}/`" in text for room in rooms)


@pytest.mark.parametrize("path", MANUALS, ids=lambda path: path.name)
def test_the_manual_tells_how_to_connect_every_preset(path: Path) -> None:
    text = read(path)
    for preset in PRESETS:
        assert preset.base_url in text, f"{preset.label} is missing"


@pytest.mark.parametrize("path", [*READMES, *MANUALS], ids=lambda path: path.name)
def test_every_label_that_a_document_names_stands_on_the_page(path: Path) -> None:
    language = "zh-CN" if "zh-CN" in path.name else "en"
    labels = {
        text.rstrip("…")
        for text in json.loads(read(ROOT / "static" / "i18n" / f"{language}.json")).values()
    }
    named = {label.rstrip("…") for label in LABEL[language].findall(prose(path))}
    assert named and named <= labels, named - labels


@pytest.mark.parametrize("path", [*READMES, *MANUALS], ids=lambda path: path.name)
def test_every_address_that_a_document_names_is_answered(app: Flask, path: Path) -> None:
    urls = app.url_map.bind("")
    calls = [
        (method, in_text or in_command) for method, in_text, in_command in CALL.findall(read(path))
    ]
    assert calls
    for method, address in calls:
        methods = urls.allowed_methods(address)
        assert methods and (not method or method in methods), address


@pytest.mark.parametrize("path", [*READMES, *MANUALS], ids=lambda path: path.name)
def test_every_field_that_a_document_sends_is_taken(client: FlaskClient, path: Path) -> None:
    schemas = client.get("/openapi.json").json["components"]["schemas"]
    taken = {name for schema in schemas.values() for name in schema.get("properties", {})}
    for whole, part in SENT.findall(read(path)):
        assert fields(json.loads(whole or f"{{{part}}}")) <= taken


def fields(value: object) -> set[str]:
    return set(value).union(*map(fields, value.values())) if isinstance(value, dict) else set()


def test_all_documents_show_the_same_lines_for_nginx() -> None:
    blocks = {block for path in [*GUIDES, *MANUALS] for block in readme_blocks(path, "nginx")}
    assert len([block for block in blocks if block.startswith("location")]) == 1


def test_the_two_readmes_and_the_two_manuals_run_in_parallel() -> None:
    for english, chinese in (READMES, MANUALS):
        assert headings(english) == headings(chinese)
        assert len(readme_blocks(english)) == len(readme_blocks(chinese))


def prose(path: Path) -> str:
    return re.sub(r"^```.*?^```", "", read(path), flags=re.MULTILINE | re.DOTALL)


def headings(path: Path) -> list[int]:
    return [len(marks) for marks in re.findall(r"^(#+) ", prose(path), re.MULTILINE)]


def test_both_languages_say_the_same_things() -> None:
    english, chinese = (
        json.loads(read(ROOT / "static" / "i18n" / f"{name}.json")) for name in ("en", "zh-CN")
    )
    assert english.keys() == chinese.keys()
    for key, sentence in english.items():
        assert set(re.findall(r"\{(\w+)\}", sentence)) == set(
            re.findall(r"\{(\w+)\}", chinese[key])
        ), key


def test_every_sentence_of_the_terminal_is_used_and_every_one_used_is_there() -> None:
    package = ROOT / "chatapp"
    rooms = [
        path for name in ("cli", "processes", "backups") for path in (package / name).rglob("*.py")
    ]
    dumps = package / "storage" / "dumps.py"  # its faults are keys of sentences
    top = [ROOT / "app.py", ROOT / "gunicorn.conf.py", dumps, *package.glob("*.py")]
    text = "".join(map(read, [*top, *rooms]))
    literals = set(re.findall(r"[\"'](?:cli\.)?([a-z_]+(?:\.[a-z_]+)*)[\"']", text))
    said = set(re.findall(r"\b_?say\(\s*[\"']([a-z_.]+)[\"']", text)) | set(
        re.findall(r"[\"']cli\.([a-z_.]+)[\"']", text)
    )
    english = json.loads(read(ROOT / "static" / "i18n" / "en.json"))
    known = {key.removeprefix("cli.") for key in english if key.startswith("cli.")}
    families = tuple({key.partition(".")[0] + "." for key in known if "." in key})
    names = {literal for literal in literals if literal.startswith(families)} - {*home.OURS}
    assert said | names <= known
    begun = re.findall(r"\bsay\(f[\"']([a-z_.]+\.)\{", text)  # say(f"column.{name}")
    assert known <= literals | {beginning + end for beginning in begun for end in literals}


def test_make_lists_every_target() -> None:
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^  make ([\w-]+)", shown, re.MULTILINE)) == make_targets()


def tracked() -> Iterator[Path]:
    """Yield every text file of ours, without those that .gitignore names."""
    ignored = {
        ROOT / line.strip("/")
        for line in read(ROOT / ".gitignore").splitlines()
        if line.startswith("/")
    }
    for folder, folders, files in os.walk(ROOT):
        here = Path(folder)
        folders[:] = [
            each for each in folders if here / each not in ignored and each not in TOOLS_OWN
        ]
        yield from (
            here / file
            for file in files
            if here / file not in ignored
            and file not in TOOLS_OWN
            and Path(file).suffix not in BINARY
        )


def test_nothing_private_is_in_the_repository() -> None:
    found = [
        (path.name, match[0])
        for path in tracked()
        for match in PRIVATE.finditer(path.read_text("utf-8", "replace"))
    ]
    assert not found


def test_the_lock_of_the_page_holds_hashes_and_no_addresses() -> None:
    packages = json.loads(read(ROOT / "package-lock.json"))["packages"]
    assert all(
        "integrity" in entry and "resolved" not in entry for name, entry in packages.items() if name
    )


def test_every_python_package_is_pinned() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        for line in read(ROOT / name).splitlines():
            assert (
                not line
                or line.startswith(("#", "-r "))
                or re.fullmatch(r"[\w.-]+(\[\w+\])?==[\w.]+", line)
            ), line


def test_what_our_code_imports_stands_in_the_first_part_of_the_requirements() -> None:
    own = read(ROOT / "requirements.txt").partition("# required by these packages")[0]
    listed = {_normal(re.split(r"[=\[]", line)[0]) for line in own.splitlines() if "==" in line}
    code = "".join(read(path) for path in [*(ROOT / "chatapp").rglob("*.py"), ROOT / "wsgi.py"])
    imported = (
        set(re.findall(r"^\s*(?:from|import) (\w+)", code, re.MULTILINE))
        - sys.stdlib_module_names
        - {"chatapp"}
    )
    providers = packages_distributions()
    assert {_normal(name) for module in imported for name in providers[module]} <= listed


def _normal(name: str) -> str:
    """Return a package's name as the index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize(
    "path", sorted((ROOT / "static/i18n").glob("*.json")), ids=lambda p: p.stem
)
def test_a_catalogue_has_each_key_once(path: Path) -> None:
    """A second one would replace the text of another place."""
    pairs = json.loads(path.read_text("utf-8"), object_pairs_hook=list)
    keys = [key for key, _ in pairs]
    assert sorted(keys) == sorted(set(keys))


def test_the_guide_for_several_hosts_installs_the_chroma_that_is_tested() -> None:
    [pinned] = re.findall(r"^chromadb==\S+", read(ROOT / "requirements.txt"), re.MULTILINE)
    assert f"pip install {pinned}\n" in read(ROOT / "docs" / "deployment" / "hosts.md")
