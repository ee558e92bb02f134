"""The steps of the Dockerfile, executed without a container engine.

Executed: copying the files that .dockerignore lets through, every RUN of the build stage, and CMD
and HEALTHCHECK of the image with its ENV, in a read-only folder and, if the tests run as root, as
`nobody`. /app and /data are folders of the test, port 8000 is a free one. Python's packages, the
embedding model and npm's packages come from this checkout instead of the network, so set-up finds
them done; the page's libraries are copied again. Not executed: pulling the base image, and the RUN
of the last stage, which adds a user and the command `chatapp` to the system.
"""

import http.client
import json
import os
import pwd
import re
import shlex
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from http.server import HTTPServer, SimpleHTTPRequestHandler
from importlib import metadata
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from chatapp.settings import MB
from chatapp.web.bundle import current
from tests.support.docs import DEPLOYMENT, settings
from tests.support.nginx import make_certificate
from tests.support.service import PATIENCE_SECONDS, ROOT, free_port, wait_for

STEPS = (
    "FROM",
    "WORKDIR",
    "COPY",
    "RUN",
    "ENV",
    "USER",
    "VOLUME",
    "EXPOSE",
    "STOPSIGNAL",
    "HEALTHCHECK",
    "CMD",
    "ARG",
)
NETWORK = (".venv", "models", "node_modules")


@dataclass(frozen=True)
class Step:
    verb: str
    rest: str


def stages() -> list[list[Step]]:
    """The instructions of each stage; ARGs before the first FROM are left out."""
    text = (ROOT / "Dockerfile").read_text("utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#")).replace(
        "\\\n", " "
    )
    steps = [Step(*line.split(None, 1)) for line in lines.splitlines() if line.strip()]
    assert {step.verb for step in steps} <= set(STEPS)
    starts = [number for number, step in enumerate(steps) if step.verb == "FROM"]
    return [steps[start:end] for start, end in zip(starts, [*starts[1:], len(steps)], strict=True)]


def one(stage: list[Step], verb: str) -> str:
    return next(step.rest for step in reversed(stage) if step.verb == verb)


def variables(stage: list[Step]) -> dict[str, str]:
    words = [word for step in stage if step.verb == "ENV" for word in shlex.split(step.rest)]
    return dict(word.split("=", 1) for word in words)


def context() -> list[str]:
    """Return the files that `docker build` sends: .dockerignore's last matching rule decides."""
    rules = [
        line
        for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    ]

    def lets_in(path: str) -> bool:
        parts = path.split("/")
        folders = ["/".join(parts[: n + 1]) for n in range(len(parts))]
        let = True
        for rule in rules:
            pattern = rule.removeprefix("!")
            names = parts if pattern.startswith("**/") else folders
            if any(
                fnmatch(name, pattern.removeprefix("**/"))
                and name.count("/") == pattern.count("/") - pattern.count("**/")
                for name in names
            ):
                let = rule.startswith("!")
        return let

    found = []
    for folder, folders, files in os.walk(ROOT):
        here = Path(folder).relative_to(ROOT)
        folders[:] = [
            name for name in folders if not (str(here) == "." and name in {".git", *NETWORK})
        ]
        found += [path for name in files if lets_in(path := str(here / name))]
    return found


def test_the_build_context_has_the_program_and_nothing_private() -> None:
    sent = context()
    first = {path.partition("/")[0] for path in sent}
    assert {
        "app.py",
        "wsgi.py",
        "gunicorn.conf.py",
        "chatapp",
        "static",
        "templates",
        "migrations",
        "scripts",
        "docs",
    } <= first
    assert not first & {
        "instance",
        ".env",
        "tests",
        "bench",
        ".venv",
        "node_modules",
        "models",
        ".git",
    }
    assert not [path for path in sent if path.startswith("static/vendor") or "__pycache__" in path]
    assert {path for path in sent if path.startswith("docs/")} == {
        "docs/manual/en.md",
        "docs/manual/zh-CN.md",
    }
    for step in (
        step
        for stage in stages()
        for step in stage
        if step.verb == "COPY" and not step.rest.startswith("--from")
    ):
        for source in step.rest.split()[:-1]:
            assert source == "." or any(
                path == source or path.startswith(f"{source}/") for path in sent
            ), source


def test_the_image_runs_as_an_ordinary_user_with_time_to_stop() -> None:
    build, image = stages()
    assert build[0].rest.split()[0] == image[0].rest == "${PYTHON_IMAGE}"
    assert one(image, "USER").isdigit() and int(one(image, "USER")) > 0
    assert f"--uid {one(image, 'USER')} " in one(image, "RUN")
    # Only who asks for LibreOffice gets packages of Debian.
    text = (ROOT / "Dockerfile").read_text("utf-8")
    always = re.sub(r'RUN if \[ -n "\$LIBREOFFICE" \]; then .*?; fi\n', "", text, flags=re.DOTALL)
    assert always != text and not re.search(r"apt-|gcc|build-essential", always)
    assert one(image, "VOLUME") == variables(image)["CHATAPP_HOME"]
    assert {name for name in variables(image) if name.startswith("CHATAPP_")} <= settings().keys()
    [grace] = re.findall(
        r"^GRACE_SECONDS = (\d+)", (ROOT / "gunicorn.conf.py").read_text("utf-8"), re.MULTILINE
    )
    assert int(composed()["stop_grace_period"].removesuffix("s")) > int(grace)


def test_what_the_image_installs_is_below_600_mb() -> None:
    names = {"pip", "setuptools"}
    for file in ("requirements.txt", "requirements-embedder.txt", "requirements-recognition.txt"):
        names |= set(re.findall(r"^([\w.-]+)==", (ROOT / file).read_text("utf-8"), re.MULTILINE))
    total = 0
    for name in names:
        with suppress(metadata.PackageNotFoundError):  # whose models alone are kept
            for path in metadata.files(name) or []:
                with suppress(OSError):
                    total += os.stat(path.locate()).st_size
    own = [ROOT / path for path in context()]
    for folder in ("models", "static/vendor", "static/bundle"):
        own += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    total += sum(path.stat().st_size for path in own)
    assert 100 * MB < total < 600 * MB, total


def composed() -> dict[str, Any]:
    made = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    service: dict[str, Any] = made["services"]["chatapp"]
    [volume] = service["volumes"]
    assert volume.partition(":")[0] in made["volumes"] and volume.endswith(":/data")
    return service


def test_compose_names_existing_settings_and_listens_on_this_machine_only() -> None:
    text = (ROOT / "compose.yaml").read_text("utf-8")
    named = set(
        re.findall(
            r"\b(?:CHATAPP_[A-Z_]+|OPENAI_[A-Z_]+|DATABASE_URL|CHROMA_URL|WEB_CONCURRENCY)\b", text
        )
    )
    assert named <= settings().keys()
    passed = {name.partition("=")[0] for name in composed()["environment"]}
    assert passed == settings().keys() | {"LANG"}
    assert composed()["ports"] == ["127.0.0.1:8000:8000"]
    assert composed()["env_file"] == [{"path": ".env", "required": False}]
    image = variables(stages()[-1])
    for name in ("CHATAPP_HOME", "CHATAPP_BIND"):  # whatever a copied .env.example says
        assert f"{name}={image[name]}" in composed()["environment"]
    yaml.safe_load(
        re.sub(r"^( *)# (?=( *[\w-]+:| *- \w+[:=]|[a-z]+:$))", r"\1", text, flags=re.MULTILINE)
    )


def test_compose_for_several_hosts_passes_all_settings_and_keeps_the_data_on_one() -> None:
    hosts = yaml.safe_load((ROOT / "compose.hosts.yaml").read_text("utf-8"))
    services = hosts["services"]
    everywhere = {name for name, service in services.items() if "profiles" not in service}
    assert everywhere == {"web"} and services.keys() == {"web", "helpers", "database", "chroma"}
    one_host = composed()
    for name in ("web", "helpers"):
        service = services[name]
        assert service["environment"].keys() == settings().keys() | {"LANG"}
        assert service["environment"]["CHATAPP_HELPERS"] in ("embedder", "embedder,worker")
        for hardening in ("read_only", "cap_drop", "security_opt", "tmpfs", "stop_grace_period"):
            assert service[hardening] == one_host[hardening]
        assert {volume.partition(":")[0] for volume in service["volumes"]} <= hosts[
            "volumes"
        ].keys()
    text = (ROOT / "compose.hosts.yaml").read_text("utf-8")
    guide = (DEPLOYMENT / "hosts.md").read_text("utf-8")
    assert {
        name for name in re.findall(r"\$\{(\w+):\?\}", text) if f"{name}=" not in guide
    } == set()


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """The build stage, executed; /app and /data are folders in here."""
    place = Path(tempfile.mkdtemp(prefix="chatapp-image-"))
    try:
        place.chmod(0o755)
        app, data = place / "app", place / "data"
        app.mkdir()
        data.mkdir()
        for path in context():
            (app / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, app / path)
        take_what_the_network_brings(app)
        environ = {
            "PATH": f"{app}/.venv/bin:{os.environ['PATH']}",
            "HOME": str(place),
            "LC_ALL": "C.UTF-8",
            **build_variables(app),
        }
        for step in stages()[0]:
            if step.verb == "RUN":
                done = subprocess.run(
                    ["sh", "-c", step.rest],
                    cwd=app,
                    env=environ,
                    capture_output=True,
                    text=True,
                    timeout=PATIENCE_SECONDS,
                )
                assert done.returncode == 0, (step.rest, done.stdout, done.stderr)
        yield place
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(place)], check=False)
        shutil.rmtree(place)


def build_variables(app: Path) -> dict[str, str]:
    """Return the ENV of the build stage with its /app elsewhere."""
    return {
        name: re.sub("^/app", str(app), value) for name, value in variables(stages()[0]).items()
    }


def test_the_build_trusts_the_certificate_that_it_is_given(tmp_path: Path) -> None:
    make_certificate(tmp_path, "localhost")
    app = tmp_path / "app"
    app.mkdir()
    environ = {"PATH": os.environ["PATH"], **build_variables(app)}
    [step] = [step for step in stages()[0] if "$CA_CERTIFICATE" in step.rest]
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    with HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
        server.socket = trust.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"https://localhost:{server.server_port}/pyproject.toml"
        for given in ("", (tmp_path / "certificate.pem").read_text()):
            subprocess.run(
                ["sh", "-c", step.rest],
                cwd=app,
                env=environ | {"CA_CERTIFICATE": given},
                check=True,
            )
            for command in (
                [sys.executable, "-c", f"import urllib.request as u; u.urlopen('{url}')"],
                ["node", "-e", f"fetch('{url}').catch(() => process.exit(1))"],
            ):
                done = subprocess.run(command, env=environ, capture_output=True, check=False)
                assert (done.returncode == 0) == bool(given), (command, done.stderr)
        server.shutdown()


def take_what_the_network_brings(app: Path) -> None:
    """Link this checkout's packages and model, with an interpreter that `nobody` may run."""
    subprocess.run(
        [interpreter(), "-m", "venv", "--without-pip", app / ".venv"],
        check=True,
        capture_output=True,
    )
    packages = Path("lib", f"python{sys.version_info[0]}.{sys.version_info[1]}", "site-packages")
    (app / ".venv" / packages).rmdir()
    (app / ".venv" / packages).symlink_to(ROOT / ".venv" / packages)
    shutil.copy(ROOT / ".venv" / ".set-up", app / ".venv")
    (app / "node_modules").symlink_to(ROOT / "node_modules")
    if (ROOT / "models").exists():
        (app / "models").symlink_to(ROOT / "models")
    else:  # nor tried to be made
        (app / "models").mkdir()
        (app / "models" / ".tried").touch()
        (app / "models" / ".tried-recognition").touch()


def interpreter() -> str:
    """Return a Python of this version that `nobody` may run, else this one."""
    own = os.path.realpath(sys.executable)
    system = shutil.which(
        f"python{sys.version_info[0]}.{sys.version_info[1]}", path="/usr/local/bin:/usr/bin"
    )
    return next((found for found in (own, system) if found and may_run(found)), own)


def may_run(python: str) -> bool:
    who = nobody()
    try:
        return (
            bool(who)
            and subprocess.run(
                [python, "-c", ""], check=False, capture_output=True, **who
            ).returncode
            == 0
        )
    except PermissionError:
        return False


def nobody() -> dict[str, Any]:
    """Return the arguments of Popen that run as `nobody`, if that is allowed."""
    if os.getuid() != 0:
        return {}
    entry = pwd.getpwnam("nobody")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def test_the_build_leaves_what_the_service_needs(made: Path) -> None:
    app = made / "app"
    assert not (app / "node_modules").exists() and (ROOT / "node_modules").is_dir()
    names = [
        entry["file"]
        for entry in json.loads((app / "static" / "vendor" / "vendor.json").read_text("utf-8"))
    ]
    assert names and all((app / "static" / "vendor" / name).is_file() for name in names)
    assert current(app / "static").files
    assert list((app / "chatapp").rglob("*.pyc"))


@pytest.mark.server
def test_the_image_serves_a_cited_answer_without_writing_beside_its_volume(made: Path) -> None:
    image = stages()[-1]
    app, data, port = made / "app", made / "data", str(free_port())

    def here(text: str) -> str:
        return re.sub(r"(?<![\w/])/(app|data)\b", rf"{made}/\1", text).replace("8000", port)

    environ = {
        name: here(value).replace("$PATH", os.environ["PATH"])
        for name, value in variables(image).items()
    }
    environ |= {"HOME": str(data), "CHATAPP_ENV_FILE": os.devnull, "LC_ALL": "C.UTF-8"}
    who = nobody() if may_run(str(app / ".venv" / "bin" / "python")) else {}
    if who:
        os.chown(data, who["user"], who["group"])
    subprocess.run(["chmod", "-R", "a-w", str(app)], check=True)
    before = sorted(app.rglob("*"))
    check = [here(word) for word in json.loads(one(image, "HEALTHCHECK").partition("CMD ")[2])]

    options: dict[str, Any] = {
        "cwd": app,
        "env": environ,
        "text": True,
        "stdout": subprocess.PIPE,
        **who,
    }

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            command, stderr=subprocess.PIPE, timeout=PATIENCE_SECONDS, check=False, **options
        )
        return done

    process = subprocess.Popen(
        json.loads(one(image, "CMD")), stderr=subprocess.STDOUT, start_new_session=True, **options
    )
    try:
        assert run(*check).returncode != 0
        wait_for(lambda: process.poll() is not None or run(*check).returncode == 0, what="healthy")
        assert process.poll() is None, process.stdout and process.stdout.read()
        wait_for(lambda: missing(port) == [], what="Chroma and the rest run as well")
        answer = wait_for(
            lambda: cited(run("python", "-m", "chatapp", "ask", "How do I add my own documents?")),
            what="cited",
        )
        assert "Manual.md" in answer
        process.send_signal(getattr(signal, one(image, "STOPSIGNAL")))
        said, _ = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0, said
        assert "/sign-in#" in said and "Traceback" not in said
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert sorted(app.rglob("*")) == before
    assert not who or (data / "chatapp.db").stat().st_uid == who["user"]
    assert {"chatapp.db", "token", "originals"} <= {path.name for path in data.iterdir()}


def missing(port: str) -> list[str]:
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=5)
    connection.request("GET", "/readyz")
    found: list[str] = json.loads(connection.getresponse().read())["missing"]
    connection.close()
    return found


def cited(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout if done.returncode == 0 and "\nSources\n" in done.stdout else ""
