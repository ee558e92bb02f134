"""One branch of a session as Markdown."""

from typing import Any


def as_markdown(session: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """Format a branch as Markdown: questions as headings, answers with their sources."""
    parts = [f"# {session['title']}"]
    for row in rows:
        if row["role"] == "user":
            parts.append("## " + row["content"].replace("\n", "\n\n"))
        elif row["content"]:
            parts.append(row["content"])
            cited = [source for source in row["sources"] if source["n"] in row["citations"]]
            parts += [
                "\n".join(
                    f"[{s['n']}] {s['name']}" + (f", p. {s['page']}" if s["page"] else "")
                    for s in cited
                )
            ]
    return "\n\n".join(filter(None, parts)) + "\n"
