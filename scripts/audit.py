"""Ask pip-audit and npm audit for known vulnerabilities of what the service runs on.

    .venv/bin/python scripts/audit.py

A vulnerability is an error. Where the services they ask do not answer, as without a network, that
is said and is none: advisories change without a change of ours. Also writes the list of all
components (.venv/sbom.json, CycloneDX), from the pinned versions and package-lock.json.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
AUDIT = ROOT / ".venv" / "audit"  # its packages are not ours
PIP_AUDIT = "pip-audit==2.10.1"
SBOM = ROOT / ".venv" / "sbom.json"
SECONDS = 300  # for one of the two to answer
PIN = re.compile(r"^([\w.-]+)(?:\[.*?\])?==(\S+)", re.MULTILINE)


def main() -> int:
    """Audit both; return the exit code."""
    write_sbom()
    found = [*audit("pip-audit", python_findings), *audit("npm audit", page_findings)]
    print("\n".join(found), file=sys.stderr)
    return 1 if found else 0


def audit(name: str, findings: Any) -> list[str]:
    """Return the findings of one audit; print what came of it."""
    try:
        found: list[str] = findings()
    except (OSError, ValueError, KeyError, subprocess.SubprocessError) as fault:
        print(f"{name}: not audited, no answer ({type(fault).__name__})")
        return []
    print(f"{name}: {len(found) or 'no'} known vulnerabilities")
    return found


def python_findings() -> list[str]:
    """Return the known vulnerabilities of requirements.txt."""
    if not (AUDIT / "bin" / "pip-audit").exists():
        venv.create(AUDIT, with_pip=True)
        answer("bin/python", "-m", "pip", "install", "--quiet", PIP_AUDIT, check=True)
    pinned = ("--no-deps", "--disable-pip", "-r", str(ROOT / "requirements.txt"))
    told = json.loads(answer("bin/pip-audit", *pinned, "--format", "json"))
    return [
        f"{each['name']} {each['version']}: {flaw['id']}"
        for each in told["dependencies"]
        for flaw in each.get("vulns", ())
    ]


def page_findings() -> list[str]:
    """Return the known vulnerabilities of what the page runs on."""
    npm = shutil.which("npm") or str(ROOT / ".venv" / "bin" / "npm")
    told = json.loads(answer(npm, "audit", "--omit=dev", "--json"))
    return [f"{name}: {flaw['severity']}" for name, flaw in told["vulnerabilities"].items()]


def answer(*command: str, check: bool = False) -> str:
    """Run a program, by default of the audit's environment; return its output."""
    done = subprocess.run(
        [str(AUDIT / command[0]), *command[1:]],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{ROOT}/.venv/bin:{os.environ.get('PATH', '')}"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=check,
    )
    return done.stdout


def write_sbom() -> None:
    """List all components with their versions."""
    pins = PIN.findall((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))
    components = [(f"pkg:pypi/{name.lower()}@{version}", name, version) for name, version in pins]
    for path, package in lock["packages"].items():
        if path and not package.get("dev"):
            name, version = path.rpartition("node_modules/")[2], package["version"]
            components.append((f"pkg:npm/{name.replace('@', '%40')}@{version}", name, version))
    listed = [
        {"type": "library", "name": name, "version": version, "purl": purl, "bom-ref": purl}
        for purl, name, version in components
    ]
    sbom = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": listed}
    SBOM.write_text(json.dumps(sbom, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
