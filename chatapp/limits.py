"""How many streams the open files of a process allow. Standard library only: gunicorn's arbiter reads it."""

import resource

FILES_A_STREAM = 2  # the reader's connection and the model's
OTHER_FILES = 256  # databases, logs, pipes, libraries, and what is asked beside the streams
OTHER_REQUESTS = 200  # pages, uploads and API calls beside the streams


def raise_file_limit(streams: int) -> None:
    """Raise this process's limit of open files to what so many streams need, as far as that is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = (streams + OTHER_REQUESTS) * FILES_A_STREAM + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def streams_allowed(streams: int) -> int:
    """Return how many of so many streams the limit of open files has room for."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return streams
    return min(streams, (soft - _other_files(soft)) // FILES_A_STREAM)


def other_requests_allowed(streams: int) -> int:
    """Return how many connections beside so many streams it has room for: half of the files that are left."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return OTHER_REQUESTS
    return min(OTHER_REQUESTS, (soft - streams_allowed(streams) * FILES_A_STREAM) // 2)


def _other_files(soft: int) -> int:
    return min(OTHER_FILES, soft // 2)
