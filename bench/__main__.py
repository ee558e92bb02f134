"""`python -m bench [name …]`: run all benchmarks, or some, and print their tables.

Options of one benchmark follow its name: `python -m bench streams --quick`.
"""

import importlib
import os
import platform
import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType, ModuleType

from bench.tables import Skipped

BENCHMARKS = (
    "streams", "databases", "scaling", "ingest", "memory", "search", "grown", "retrieval",
    "recognition",
)  # fmt: skip
END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
BUSY_SHARE = 0.25  # of the cores in use by other programs, above which a warning is printed


def main(arguments: list[str]) -> int:
    """Run the named benchmarks, all without a name; return the exit code."""
    first = next(
        (place for place, word in enumerate(arguments) if word.startswith("-")), len(arguments)
    )
    names, options = arguments[:first], arguments[first:]
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(
            f"There is no benchmark {' or '.join(unknown)}. There are: {', '.join(BENCHMARKS)}.",
            file=sys.stderr,
        )
        return 2
    modules = [importlib.import_module(f"bench.{name}") for name in names or BENCHMARKS]
    if options and not (len(modules) == 1 and hasattr(modules[0], "choose")):
        print(
            "Options belong to one benchmark that has some: `python -m bench streams --help`.",
            file=sys.stderr,
        )
        return 2
    sizes = [modules[0].choose(options)] if options else []
    for number in END_SIGNALS:
        signal.signal(number, _leave)
    print(_machine(), flush=True)
    try:
        return max([_run(module, sizes) for module in modules])
    except KeyboardInterrupt:
        print("Stopped; everything that was started has been ended.", file=sys.stderr)
        return 130


def _run(benchmark: ModuleType, sizes: Sequence[object]) -> int:
    """Print one benchmark's tables as it yields them; `sizes` holds its size unless the default.

    A failure ends this benchmark only and is part of the exit code.
    """
    name = benchmark.__name__.removeprefix("bench.")
    began = time.monotonic()
    print(f"\n## {name}\n\n{(benchmark.__doc__ or '').strip()}", flush=True)
    try:
        for table in benchmark.measure(*sizes):
            print("", *table.lines(), sep="\n", flush=True)
    except Skipped as reason:
        print(f"\n{reason}", flush=True)
        return 0
    except Exception as fault:
        print(f"\n{name} could not be measured: {type(fault).__name__}: {fault}", file=sys.stderr)
        return 1
    print(f"\n({name}: {time.monotonic() - began:.0f} s)", flush=True)
    return 0


def _machine() -> str:
    """Describe this machine, and warn if it is busy."""
    cores = os.cpu_count() or 1
    load = os.getloadavg()[0]
    lines = [
        f"Measured on {cores} cores, {platform.system()} {platform.machine()},"
        f" Python {platform.python_version()}."
    ]
    if load > cores * BUSY_SHARE:
        lines.append(
            f"This machine is busy (load {load:.1f}); expect worse figures than on a quiet one."
        )
    return "\n".join(lines)


def _leave(number: int, _frame: FrameType | None) -> None:
    """Stop once, with clean-up, which a second Ctrl-C must not interrupt."""
    for each in END_SIGNALS:
        signal.signal(each, lambda *_: None)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
