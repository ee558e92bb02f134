"""Bundle and minify the page's scripts and style sheets with esbuild, into static/bundle.

The service uses the bundle while the files that it was made from are unchanged, else these files
(chatapp/web/bundle.py). So a bundle that cannot be made does not end set-up. See setup.py.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from commands import ROOT, run
from sentences import say, sentence

STATIC = ROOT / "static"
TARGET = STATIC / "bundle"
DRAFT = STATIC / ".bundle"
# Scripts of pages, each with its own chunks; `shared.js` must not start what `main.js` starts.
PAGES = ("main", "sign-in", "shared")
# As in MODULES of chatapp/web/pages.py, whose import map remains for what loads on demand.
LIBRARIES = {
    "markdown-it": "markdown-it.js",
    "markdown-it-cjk-friendly": "markdown-it-cjk-friendly.js",
    "markdown-it-footnote": "markdown-it-footnote.js",
    "get-east-asian-width": "get-east-asian-width/index.js",
    "dompurify": "dompurify.js",
}
ON_DEMAND = ("katex", "katex/contrib/mhchem")


def page_bundle() -> None:
    """Make the bundle unless it is up to date, or esbuild has no version for this platform."""
    esbuild = next((ROOT / "node_modules" / "@esbuild").glob("*/bin/esbuild"), None)
    if esbuild is None or not (STATIC / "js").is_dir() or _is_current():
        return
    shutil.rmtree(DRAFT, ignore_errors=True)
    try:
        made = _make(str(esbuild))
    except (OSError, ValueError, KeyError):
        made = False
    if made:
        shutil.rmtree(TARGET, ignore_errors=True)
        DRAFT.rename(TARGET)
    else:
        shutil.rmtree(DRAFT, ignore_errors=True)
        say("  " + sentence("without_bundle"))


def _make(esbuild: str) -> bool:
    """Run esbuild and describe its output; return False where it fails."""
    inputs: set[str] = set()
    preload = {}
    for page in PAGES:
        found = _script(esbuild, page)
        if found is None:
            return False
        inputs.update(found["inputs"])
        name = f"static/.bundle/js/{page}.js"
        chunks = [each["path"] for each in found["outputs"][name]["imports"]]
        preload[f"js/{page}.js"] = [_name(chunk, DRAFT) for chunk in chunks if "/.bundle/" in chunk]
    sheets = [str(path.relative_to(ROOT)) for path in sorted(STATIC.glob("css/**/*.css"))]
    found = _esbuild(esbuild, *sheets, "--outdir=static/.bundle/css", "--outbase=static/css")
    if found is None:
        return False
    inputs.update(found["inputs"])
    outputs = sorted(path for path in DRAFT.rglob("*") if path.is_file())
    for path in outputs:
        packed = gzip.compress(path.read_bytes(), 9, mtime=0)
        path.with_name(f"{path.name}.gz").write_bytes(packed)
    made = {
        "recipe": _recipe(),
        "inputs": {_name(each, STATIC): _digest(ROOT / each) for each in sorted(inputs)},
        "files": [_name(str(path.relative_to(ROOT)), DRAFT) for path in outputs],
        "preload": preload,
    }
    (DRAFT / "bundle.json").write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
    return True


def _script(esbuild: str, page: str) -> dict[str, Any] | None:
    """Bundle a page's script and what it imports on demand.

    Every chunk is made to import the script itself, so that what the script needs at once is in
    every chunk's reach and esbuild keeps it in one file instead of one for each set of chunks.
    """
    return _esbuild(
        esbuild,
        f"static/js/{page}.js",
        f"--inject:static/js/{page}.js",
        "--splitting",
        "--format=esm",
        "--outdir=static/.bundle/js",
        "--log-override:commonjs-variable-in-esm=silent",
        *(f"--alias:{name}=./static/vendor/{file}" for name, file in LIBRARIES.items()),
        *(f"--external:{name}" for name in ON_DEMAND),
    )


def _esbuild(esbuild: str, *arguments: str) -> dict[str, Any] | None:
    """Return esbuild's description of what it has bundled."""
    meta = STATIC / ".bundle.meta.json"
    options = ["--bundle", "--minify", "--charset=utf8", f"--metafile={meta}"]
    try:
        status, _ = run([esbuild, *arguments, *options])
        described: dict[str, Any] = {} if status else json.loads(meta.read_text(encoding="utf-8"))
        return described or None
    finally:
        if meta.exists():
            meta.unlink()


def _is_current() -> bool:
    try:
        made = json.loads((TARGET / "bundle.json").read_text(encoding="utf-8"))
        inputs = made["inputs"].items()
        return made["recipe"] == _recipe() and all(
            _digest(STATIC / name) == digest for name, digest in inputs
        )
    except (OSError, ValueError, KeyError):
        return False


def _recipe() -> str:
    """Return a hash of how the bundle is made, and of the names of the style sheets.

    package.json says that the scripts are ES modules.
    """
    names = sorted(str(path.relative_to(STATIC)) for path in STATIC.glob("css/**/*.css"))
    files = [ROOT / "package.json", ROOT / "package-lock.json", Path(__file__)]
    parts = [*map(_digest, files), *names]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _name(path: str, folder: Path) -> str:
    """Return the name of a file, given from the root of the checkout, in a folder."""
    return (ROOT / path).relative_to(folder).as_posix()
