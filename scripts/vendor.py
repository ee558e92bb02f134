"""Copy the libraries that the page uses from `node_modules` to `static/vendor`, after `npm ci`.

Standard library only, so that set-up can run it before anything is installed. Nothing is bundled or changed: the
import map in `templates/layout.html` gives the files their names. `vendor.json` says what lies there, from which
package and version, with a hash of every file.
"""

import base64
import hashlib
import json
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "node_modules"
TARGET = ROOT / "static" / "vendor"

# target file: (package, its file). `.mjs` becomes `.js`, which every server and mail scanner knows.
FILES = {
    "markdown-it.js": ("markdown-it", "dist/browser/markdown-it.esm.min.mjs"),
    "markdown-it-cjk-friendly.js": ("markdown-it-cjk-friendly", "dist/index.js"),
    "get-east-asian-width/index.js": ("get-east-asian-width", "index.js"),
    "get-east-asian-width/lookup.js": ("get-east-asian-width", "lookup.js"),
    "get-east-asian-width/lookup-data.js": ("get-east-asian-width", "lookup-data.js"),
    "get-east-asian-width/utilities.js": ("get-east-asian-width", "utilities.js"),
    "dompurify.js": ("dompurify", "dist/purify.min.js"),
}
LICENCE_NAMES = ("license", "licence", "copying")


def main() -> int:
    """Copy everything; say in one sentence what is missing, and end with 1."""
    missing = [file for package, file in FILES.values() if not (SOURCE / package / file).is_file()]
    if missing:
        print(
            f"Missing in node_modules: {', '.join(missing)}. Run: npm ci --omit=dev --ignore-scripts",
            file=sys.stderr,
        )
        return 1
    shutil.rmtree(TARGET, ignore_errors=True)
    entries = [copy(target, package, file) for target, (package, file) in FILES.items()]
    (TARGET / "LICENSES.txt").write_text(licences(), encoding="utf-8")
    (TARGET / "vendor.json").write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
    return 0


def copy(target: str, package: str, file: str) -> dict[str, str]:
    """Copy one file and describe it."""
    destination = TARGET / target
    destination.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(SOURCE / package / file, destination)
    digest = hashlib.sha384(destination.read_bytes()).digest()
    return {
        "file": target,
        "package": package,
        "version": manifest(package)["version"],
        "integrity": "sha384-" + base64.b64encode(digest).decode(),
    }


def licences() -> str:
    """Join the licences of all packages, as each of them asks."""
    parts = []
    for package in sorted({package for package, _ in FILES.values()}):
        texts = [
            p
            for p in sorted((SOURCE / package).iterdir())
            if p.stem.lower() in LICENCE_NAMES and p.is_file()
        ]
        body = "\n".join(p.read_text(encoding="utf-8").strip() for p in texts)
        parts.append(
            f"{package} {manifest(package)['version']} ({manifest(package)['license']})\n\n{body}\n"
        )
    return ("\n" + "-" * 78 + "\n").join(parts)


def manifest(package: str) -> dict[str, str]:
    """Read a package's own description."""
    text = (SOURCE / package / "package.json").read_text(encoding="utf-8")
    return {key: value for key, value in json.loads(text).items() if isinstance(value, str)}


if __name__ == "__main__":
    sys.exit(main())
