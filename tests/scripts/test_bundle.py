"""scripts/bundle.py and chatapp/web/bundle.py: the page's bundle, in a copy of the sources."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chatapp.web.bundle import Bundle, current
from chatapp.web.pages import MODULES

ROOT = Path(__file__).parents[2]
RUN = "import sys; sys.path.insert(0, 'scripts'); import bundle; bundle.page_bundle()"
TABLES = """
import json, sys
sys.path.insert(0, "scripts")
import bundle
print(json.dumps([{name: f"vendor/{file}" for name, file in bundle.LIBRARIES.items()},
                  bundle.ON_DEMAND]))
"""
FAILS = "#!/bin/sh\necho broken; exit 1\n"


class Checkout:
    """The files that the bundle is made from, with esbuild as installed here."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.static = root / "static"
        shutil.copytree(ROOT / "scripts", root / "scripts")
        for part in ("js", "css", "i18n", "vendor"):
            shutil.copytree(
                ROOT / "static" / part, self.static / part, ignore=lambda *_: ["mermaid.js"]
            )
        for file in ("package.json", "package-lock.json"):
            shutil.copy(ROOT / file, root)
        shutil.copytree(ROOT / "node_modules" / "@esbuild", root / "node_modules" / "@esbuild")

    def set_up(self) -> str:
        """Run the step of set-up and return what it prints."""
        done = subprocess.run(
            [sys.executable, "-c", RUN],
            cwd=self.root,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert not done.stderr
        return done.stdout

    def esbuild(self) -> Path:
        return next(self.root.glob("node_modules/@esbuild/*/bin/esbuild"))

    def served(self) -> Bundle:
        return current(self.static)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_what_a_page_needs_at_once_is_one_script_and_one_style_sheet(checkout: Checkout) -> None:
    assert checkout.set_up() == ""
    bundle = checkout.served()
    for page, sheet in (("main", "chat"), ("shared", "shared")):
        [chunk] = bundle.preload[f"js/{page}.js"]
        start = bundle.files[f"js/{page}.js"].decode()
        assert Path(chunk).name in start and len(start) < 100
        script = bundle.files[chunk].decode()
        assert 'import("katex")' in script
        assert "@import" not in bundle.files[f"css/pages/{sheet}.css"].decode()
    assert len(bundle.preload["js/sign-in.js"]) == 1, "the texts, which it shares"
    on_demand = ("palette-", "connect-", "dialog-", "page-view-")
    names = [Path(name).name for name in bundle.files if name.endswith(".js")]
    assert all(sum(name.startswith(part) for name in names) == 1 for part in on_demand)
    assert len(bundle.files["css/find.css"]) < (checkout.static / "css/find.css").stat().st_size


def test_a_changed_source_is_served_as_it_is_until_set_up_runs_again(checkout: Checkout) -> None:
    checkout.set_up()
    for name in ("js/chat/share.js", "css/find.css", "vendor/dompurify.js"):
        path = checkout.static / name
        path.write_bytes(path.read_bytes() + b"\n/* changed */\n")
        assert checkout.served() == Bundle({}, {}), name
        checkout.set_up()
        assert checkout.served().files, name


def test_an_unchanged_page_is_bundled_once(checkout: Checkout) -> None:
    checkout.set_up()
    made = (checkout.static / "bundle" / "bundle.json").stat().st_ino
    checkout.esbuild().write_text(FAILS)
    assert checkout.set_up() == ""
    assert (checkout.static / "bundle" / "bundle.json").stat().st_ino == made


def test_where_esbuild_fails_the_sources_are_served(checkout: Checkout) -> None:
    checkout.esbuild().unlink()
    (checkout.root / "node_modules/@esbuild/this/bin").mkdir(parents=True)
    program = checkout.root / "node_modules/@esbuild/this/bin/esbuild"
    program.write_text(FAILS)
    for mode in (0o755, 0o644):
        program.chmod(mode)
        assert "could not be bundled" in checkout.set_up()
    assert "broken" in (checkout.root / ".venv" / "setup.log").read_text()
    assert checkout.served() == Bundle({}, {})
    assert not list(checkout.static.glob(".bundle*"))
    shutil.rmtree(checkout.root / "node_modules")  # a platform without esbuild
    assert checkout.set_up() == ""
    assert checkout.served() == Bundle({}, {})


def test_a_bundle_of_which_a_part_is_missing_is_not_served(checkout: Checkout) -> None:
    checkout.set_up()
    (checkout.static / "bundle" / "css" / "find.css").unlink()
    assert checkout.served() == Bundle({}, {})


def test_bundled_and_plain_pages_load_the_same_libraries() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TABLES], cwd=ROOT, capture_output=True, text=True, check=True
    )
    libraries, on_demand = json.loads(done.stdout)
    assert libraries == {name: file for name, file in MODULES.items() if name not in on_demand}
    assert set(on_demand) <= MODULES.keys()
