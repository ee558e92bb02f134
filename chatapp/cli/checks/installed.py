"""Checks of what set-up has installed and of the system's limits."""

import json
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

from chatapp.cli.checks.finding import FAIL, OK, WARN, Finding
from chatapp.cli.checks.repairs import misspelt_settings
from chatapp.cli.terminal import say
from chatapp.home import MODEL_FOLDERS, model_folder
from chatapp.knowledge.formats.office import program as libreoffice
from chatapp.knowledge.recognition.available import why_not
from chatapp.open_files import FILES_PER_STREAM, OTHER_FILES, OTHER_REQUESTS, files_needed
from chatapp.settings import BUILTIN, OFF, Settings

OLDEST = (3, 11)
VENDOR = Path(__file__).parents[3] / "static" / "vendor"


def python(_: Settings) -> Iterator[Finding]:
    """Check the version of Python."""
    have = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= OLDEST:
        yield Finding("python", OK, say("doctor.python", version=have))
    else:
        yield Finding("python", FAIL, say("doctor.python_old", version=have))


def variables(_: Settings) -> Iterator[Finding]:
    """Check for variables that look like settings but are none."""
    for sentence in misspelt_settings():
        yield Finding("settings", WARN, sentence)


def page_libraries(_: Settings) -> Iterator[Finding]:
    """Check that the page's libraries are complete."""
    try:
        names = [entry["file"] for entry in json.loads((VENDOR / "vendor.json").read_text("utf-8"))]
    except (OSError, ValueError, KeyError):
        names = []
    if names and all((VENDOR / name).is_file() for name in names):
        yield Finding("page", OK, say("doctor.page"))
    else:
        yield Finding("page", FAIL, say("doctor.page_missing"))


def model(settings: Settings) -> Iterator[Finding]:
    """Check the embedding model."""
    if settings.embedder == OFF:
        yield Finding("model", OK, say("doctor.model_off"))
    elif settings.embedder != BUILTIN:
        yield Finding(
            "model",
            OK,
            say("doctor.model_other", model=settings.embedder, url=settings.embedder_url),
        )
    elif (folder := model_folder()) == MODEL_FOLDERS[0]:
        yield Finding("model", OK, say("doctor.model"))
    elif folder is not None:
        yield Finding("model", WARN, say("doctor.model_former"))
    else:
        yield Finding("model", WARN, say("doctor.model_missing"))


def office(_: Settings) -> Iterator[Finding]:
    """Check whether LibreOffice is there, which reads DOC and PPT."""
    found = libreoffice()
    message = say("doctor.office", path=found) if found else say("doctor.office_missing")
    yield Finding("office", OK, message)


_RECOGNITION = {
    None: "doctor.recognition",
    "recognition_off": "doctor.recognition_off",
    "recognition_missing": "doctor.recognition_missing",
    "recognition_memory": "doctor.recognition_memory",
}


def recognition(settings: Settings) -> Iterator[Finding]:
    """Check text recognition."""
    why = why_not(settings)
    state = OK if why in (None, "recognition_off") else WARN
    yield Finding("recognition", state, say(_RECOGNITION[why]))


def file_limit(settings: Settings) -> Iterator[Finding]:
    """Check the hard limit of open files, up to which the service raises its own."""
    wanted = files_needed(settings.max_streams)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY or hard >= wanted:
        yield Finding("files", OK, say("doctor.files", streams=settings.max_streams))
    else:
        streams = max(0, (hard - OTHER_FILES) // FILES_PER_STREAM - OTHER_REQUESTS)
        yield Finding(
            "files", WARN, say("doctor.files_few", limit=hard, streams=streams, wanted=wanted)
        )
