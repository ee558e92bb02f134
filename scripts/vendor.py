"""Copy the page's libraries from node_modules to static/vendor, unbundled and unchanged.

The import map of chatapp/web/pages.py names the files; `vendor.json` lists what is there. npm has
checked the packages against the hashes in package-lock.json. See setup.py.
"""

from __future__ import annotations

import gzip
import json
import shutil

from commands import ROOT, SetupError
from sentences import sentence

SOURCE = ROOT / "node_modules"
TARGET = ROOT / "static" / "vendor"

FONTS = (
    "AMS-Regular",
    "Caligraphic-Bold",
    "Caligraphic-Regular",
    "Fraktur-Bold",
    "Fraktur-Regular",
    "Main-Bold",
    "Main-BoldItalic",
    "Main-Italic",
    "Main-Regular",
    "Math-BoldItalic",
    "Math-Italic",
    "SansSerif-Bold",
    "SansSerif-Italic",
    "SansSerif-Regular",
    "Script-Regular",
    "Size1-Regular",
    "Size2-Regular",
    "Size3-Regular",
    "Size4-Regular",
    "Typewriter-Regular",
)  # every browser that the page supports reads WOFF2
HIGHLIGHT = "@highlightjs/cdn-assets"
# As in static/js/markdown/languages.js, which loads them.
LANGUAGES = (
    "bash c clojure cmake cpp csharp css dart diff dockerfile dos elixir erlang fsharp go graphql "
    "groovy haskell http ini java javascript json julia kotlin latex less lisp lua makefile "
    "markdown matlab nginx nix objectivec ocaml perl php powershell properties protobuf python "
    "python-repl r ruby rust scala scss shell sql swift typescript vbnet vim xml yaml"
)

# target: package, file. `.mjs` becomes `.js`, for which every server knows the content type.
FILES = {
    "markdown-it.js": ("markdown-it", "dist/browser/markdown-it.esm.min.mjs"),
    "markdown-it-cjk-friendly.js": ("markdown-it-cjk-friendly", "dist/index.js"),
    "markdown-it-footnote.js": ("markdown-it-footnote", "index.mjs"),
    "get-east-asian-width/index.js": ("get-east-asian-width", "index.js"),
    "get-east-asian-width/lookup.js": ("get-east-asian-width", "lookup.js"),
    "get-east-asian-width/lookup-data.js": ("get-east-asian-width", "lookup-data.js"),
    "get-east-asian-width/utilities.js": ("get-east-asian-width", "utilities.js"),
    "dompurify.js": ("dompurify", "dist/purify.min.js"),
    "katex/katex.js": ("katex", "dist/katex.min.js"),
    "katex/mhchem.js": ("katex", "dist/contrib/mhchem.min.js"),
    "katex/katex.css": ("katex", "dist/katex.min.css"),
    **{
        f"katex/fonts/KaTeX_{font}.woff2": ("katex", f"dist/fonts/KaTeX_{font}.woff2")
        for font in FONTS
    },
    "mermaid.js": ("@mermaid-js/tiny", "dist/mermaid.tiny.js"),
    "highlight/core.js": (HIGHLIGHT, "es/core.min.js"),
    **{
        f"highlight/{name}.js": (HIGHLIGHT, f"es/languages/{name}.min.js")
        for name in LANGUAGES.split()
    },
}
# A larger file would keep answers waiting if the service compressed it while it runs.
PACKED_BYTES = 500_000
LICENCE_NAMES = ("license", "licence", "copying")


def copy_libraries() -> None:
    """Copy all files; raise SetupError if one is missing."""
    shutil.rmtree(TARGET, ignore_errors=True)
    try:
        entries = [_copy(target, *source) for target, source in FILES.items()]
    except FileNotFoundError as fault:
        raise SetupError(sentence("vendor_failed", file=fault.filename)) from fault
    packages = sorted({package for package, _ in FILES.values()})
    licences = ("\n" + "-" * 78 + "\n").join(map(_licence, packages))
    (TARGET / "LICENSES.txt").write_text(licences, encoding="utf-8")
    (TARGET / "vendor.json").write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")


def _copy(target: str, package: str, file: str) -> dict[str, str]:
    (TARGET / target).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(SOURCE / package / file, TARGET / target)
    body = (TARGET / target).read_bytes()
    if len(body) > PACKED_BYTES:
        (TARGET / f"{target}.gz").write_bytes(gzip.compress(body, 9, mtime=0))
    return {"file": target, "package": package, "version": _manifest(package)["version"]}


def _licence(package: str) -> str:
    files = sorted((SOURCE / package).iterdir())
    texts = [file for file in files if file.stem.lower() in LICENCE_NAMES and file.is_file()]
    body = "\n".join(file.read_text(encoding="utf-8").strip() for file in texts)
    manifest = _manifest(package)
    return f"{package} {manifest['version']} ({manifest['license']})\n\n{body}\n"


def _manifest(package: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((SOURCE / package / "package.json").read_text("utf-8"))
    return found
