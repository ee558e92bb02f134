"""Cursors of lists."""


def place(cursor: str | None) -> int:
    """Read the cursor of a list; what is none of ours begins at the beginning."""
    return (
        int(cursor) if cursor and cursor.isascii() and cursor.isdigit() and len(cursor) < 10 else 0
    )
