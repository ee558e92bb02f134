"""PDFs for the benchmarks: English prose of an operations manual, different on every page, equal on
every machine.

Each file has a unique name in all its sections (`subject`), so that a search can tell when that
file is found.
"""

import hashlib
import os
import random
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

PARAGRAPHS, SENTENCES = 4, 3  # a page: about 250 words
SYLLABLES = (
    "bel", "cor", "dan", "fen", "gar", "hol", "jun", "kes", "lom", "mar", "nor", "pel", "rud",
    "sel", "tar", "vin", "wol", "zam",
)  # fmt: skip

TOPICS = (
    "Cold storage", "Night deliveries", "Forklift trucks", "Customs papers", "Complaints",
    "Fire drills", "Packing materials",
    "Inventory counts", "Damaged pallets", "Dangerous goods", "Visitors", "Route planning",
    "Weighing", "Label printing",
    "Returns", "Working in heat", "Lost parcels", "Ship arrivals", "Rail wagons", "Spare parts",
    "Shift handover", "First aid",
    "Waste paper", "Battery charging", "Insurance claims", "Temperature records",
    "Driver training", "Seals and locks",
)  # fmt: skip
WHO = (
    "The shift supervisor", "The warehouse clerk", "The duty engineer", "A trained operator",
    "The receiving team",
    "The broker", "The quality officer", "An apprentice in the third year", "The driver",
    "The night porter",
    "The planning desk", "The customs agent", "The head of the depot",
    "A member of the safety committee",
    "The accounts department",
)  # fmt: skip
DOES = (
    "inspects", "records", "releases", "returns", "weighs", "photographs", "signs for", "counts",
    "relabels", "reports",
    "cleans", "measures", "replaces", "sets aside", "stores", "seals", "compares", "approves",
    "orders", "repairs",
)  # fmt: skip
WHAT = (
    "every pallet that arrives without papers",
    "the refrigerated containers from the northern quay",
    "all crates of machine parts", "the delivery notes of the previous day",
    "bottles with broken seals",
    "the charging stations in hall four", "wet cartons", "parcels that nobody has claimed",
    "the hydraulic hoses of the loading ramp", "the thermometers in the cold rooms",
    "drums that carry an orange label",
    "the keys of the company vans", "samples of the incoming grain", "empty gas cylinders",
    "the scales at the weighbridge",
    "furniture for the trade fair", "medicines that must stay below eight degrees",
    "the wooden frames that customers send back", "spare tyres", "invoices above the agreed amount",
)  # fmt: skip
WHEN = (
    "before the first lorry leaves the yard", "within {n} minutes of arrival",
    "at the end of each shift",
    "on every {n}th working day", "as soon as the alarm has been switched off",
    "no later than {n} hours after unloading",
    "while the gate is closed", "after a pause of {n} minutes", "between two inspections",
    "when the outside temperature falls below {n} degrees",
    "whenever more than {n} pieces are missing",
    "in the first week of the quarter", "during the annual stocktaking",
)  # fmt: skip
WHY = (
    "because the insurer asks for proof", "so that the next shift finds everything in its place",
    "since moisture spoils the goods", "as the harbour authority has required since the flood",
    "so that claims can be settled within {n} days",
    "because two earlier accidents began in this way",
    "to keep the aisles free for the fire brigade",
    "since the manufacturer gives no warranty otherwise",
    "so that the customer receives an honest answer",
)  # fmt: skip
MORE = (
    "Exceptions are decided by the head of the depot, in writing, and are valid for {n} days at "
    "most.",
    "Where the {subject} procedure names a stricter limit, that limit holds.",
    "The form is kept for {n} years in the archive on the second floor.",
    "If two colleagues come to different results, a third one repeats the check without knowing "
    "either of them.",
    "Costs of up to {n} euros are paid from the petty cash of the depot and need no further "
    "signature.",
    "Anyone who notices a deviation calls extension {n} and waits beside the goods until "
    "somebody comes.",
    "The {subject} checklist hangs beside the entrance and is replaced when it can no longer be "
    "read.",
)


def subject(number: int) -> str:
    """Return the file's unique name."""
    chance = random.Random(f"subject {number}")
    return "".join(chance.choice(SYLLABLES) for _ in range(4)).capitalize()


def pdfs(count: int, pages: int, say: Callable[[str], None] = lambda _: None) -> list[Path]:
    """Return PDFs of this size, generated once and kept in the folder for temporary files."""
    folder = Path(tempfile.gettempdir()) / f"chatapp-bench-documents-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    edition = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]
    files = [folder / f"{edition}-{pages}-pages-{number}.pdf" for number in range(count)]
    for number, file in enumerate(files):
        if not file.exists():
            say(f"making a PDF of {pages} pages ({number + 1} of {count}; kept for the next time)")
            unfinished = file.with_suffix(f".{os.getpid()}")
            _write_pdf(unfinished, number, pages)
            unfinished.rename(file)
    return files


def page_text(number: int, page: int) -> tuple[str, list[str]]:
    """Return a page's heading and paragraphs."""
    chance = random.Random(f"page {number} {page}")
    heading = f"{page} {chance.choice(TOPICS)} in the {subject(number)} procedure"
    return heading, [_paragraph(chance, subject(number)) for _ in range(PARAGRAPHS)]


def _paragraph(chance: random.Random, name: str) -> str:
    parts = []
    for _ in range(SENTENCES - 1):
        words = [chance.choice(WHO), chance.choice(DOES), chance.choice(WHAT), chance.choice(WHEN)]
        parts.append(
            " ".join(words) + (f", {chance.choice(WHY)}." if chance.random() < 0.5 else ".")
        )
    parts.insert(chance.randrange(SENTENCES), chance.choice(MORE).replace("{subject}", name))
    text = " ".join(parts)
    while "{n}" in text:
        text = text.replace("{n}", str(chance.randrange(2, 400)), 1)
    return text


def _write_pdf(file: Path, number: int, pages: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # reportlab's, on import
        from reportlab.lib.pagesizes import A4
        from reportlab.lib.styles import getSampleStyleSheet
        from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Spacer
    styles = getSampleStyleSheet()
    story: list[Any] = []
    for page in range(1, pages + 1):
        heading, paragraphs = page_text(number, page)
        story.append(Paragraph(heading, styles["Heading2"]))
        for text in paragraphs:
            story += [Paragraph(text, styles["Normal"]), Spacer(1, 8)]
        story.append(PageBreak())
    SimpleDocTemplate(str(file), pagesize=A4, invariant=1).build(story)
