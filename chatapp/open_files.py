"""The limit of open files, which limits streams: each takes two, its reader's and its model's."""

import resource

FILES_PER_STREAM = 2
OTHER_FILES = 256  # databases, logs, pipes, libraries
OTHER_REQUESTS = 200  # connections for pages, uploads and API calls beside the streams


def files_needed(streams: int) -> int:
    """Return how many files a process opens at most for that many streams."""
    return (streams + OTHER_REQUESTS) * FILES_PER_STREAM + OTHER_FILES


def raise_file_limit(streams: int) -> None:
    """Raise this process's limit of open files to what the streams need, up to the hard limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = files_needed(streams)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def streams_allowed(streams: int) -> int:
    """Return how many of these streams the limit of open files allows."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return streams
    return min(streams, (soft - min(OTHER_FILES, soft // 2)) // FILES_PER_STREAM)


def other_requests_allowed(streams: int) -> int:
    """Return how many other connections are allowed: half of the files the streams leave."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return OTHER_REQUESTS
    return min(OTHER_REQUESTS, (soft - streams_allowed(streams) * FILES_PER_STREAM) // 2)
