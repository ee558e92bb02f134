"""Bar charts as SVG that follows the light or dark scheme; no library draws them."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LABELS, VALUES, BAR, STEP, HEAD, FOOT = 760, 170, 90, 18, 28, 44, 14
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600 }
  .value { font-variant-numeric: tabular-nums }
  .bar { fill: #8c959f }
  .ours { fill: #1a7f5a }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .bar { fill: #6e7681 }
    .ours { fill: #3fb68b }
  }
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: name, length, label, and whether it is this product's."""

    name: str
    length: float
    shown: str
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars on one scale."""

    title: str
    bars: Sequence[Bar]


def svg(charts: Sequence[Chart]) -> str:
    """Return the charts as one picture, one below the other."""
    parts: list[str] = []
    top = 0
    for chart in charts:
        parts += _chart(chart, top)
        top += HEAD + STEP * len(chart.bars) + FOOT
    title = "; ".join(chart.title for chart in charts)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}"'
        f' viewBox="0 0 {WIDTH} {top}" role="img">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n"
    )
    return head + "\n".join(parts) + "\n</svg>\n"


def _chart(chart: Chart, top: int) -> list[str]:
    longest = max(bar.length for bar in chart.bars) or 1.0
    parts = [f'<text class="title" x="0" y="{top + 24}">{escape(chart.title)}</text>']
    for number, bar in enumerate(chart.bars):
        y = top + HEAD + STEP * number
        width = max(1.0, (WIDTH - LABELS - VALUES) * bar.length / longest)
        kind = "bar ours" if bar.ours else "bar"
        parts += [
            f'<text x="{LABELS - 10}" y="{y + 14}" text-anchor="end">{escape(bar.name)}</text>',
            f'<rect class="{kind}" x="{LABELS}" y="{y}" width="{width:.1f}"'
            f' height="{BAR}" rx="2"/>',
            f'<text class="value" x="{LABELS + width + 8:.1f}" y="{y + 14}">'
            f"{escape(bar.shown)}</text>",
        ]
    return parts
