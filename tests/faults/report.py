"""A campaign's result: figures and their limits as a short table; the shared command line."""

import argparse
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Report:
    """Figures with their limits, and a line for each violation."""

    title: str
    figures: list[tuple[str, str, str]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def say(self, what: str, found: object, promised: str = "", kept: bool = True) -> None:
        """Add a figure; record a violation unless it was kept."""
        self.figures.append((what, str(found), promised))
        if not kept:
            self.broken.append(f"{what}: {found}, limit {promised}")

    def seconds(self, what: str, values: list[float], most: float | None) -> None:
        """Add the median and maximum of some times; none may exceed `most`, where it is given."""
        if values:
            middle, worst = sorted(values)[len(values) // 2], max(values)
            self.say(
                f"{what}, p50 / worst of {len(values)}",
                f"{middle:.3f} / {worst:.3f} s",
                f"{most:g} s" if most is not None else "",
                most is None or worst <= most,
            )

    def __str__(self) -> str:
        wide = max(len(what) for what, _, _ in self.figures)
        lines = [
            f"  {what:<{wide}}  {found:>18}  {promised}".rstrip()
            for what, found, promised in self.figures
        ]
        return "\n".join([self.title, *lines, *(f"BROKEN {each}" for each in self.broken[:20])])


def main(
    description: str | None, run: Callable[[int, int], Report], count: str, usual: int
) -> None:
    """Run a campaign with a seed and print its table; exit with 1 on a violation."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument(f"--{count}", type=int, default=usual, dest="times")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    options = parser.parse_args()
    report = run(options.times, options.seed)
    print(f"seed {options.seed}\n{report}", flush=True)
    sys.exit(bool(report.broken))
