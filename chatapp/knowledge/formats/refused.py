"""File types that are detected only to refuse them with a precise reason: pictures, sound,
archives, old Office files, programs."""

from chatapp.knowledge.formats.source import SourceFile

# Reason → signatures at the beginning of the file.
_SIGNATURES: dict[str, tuple[bytes, ...]] = {
    "picture": (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"\0\0\1\0", b"8BPS"),
    "sound": (
        b"ID3", b"OggS", b"fLaC", b"\xff\xfb", b"\xff\xf3", b"\x1aE\xdf\xa3", b"FLV", b"#!AMR",
    ),
    "archive": (b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ", b"(\xb5/\xfd"),
    "unsupported": (
        b"\x7fELF", b"MZ\x90\0", b"SQLite format 3", b"\xca\xfe\xba\xbe", b"%!PS", b"wOFF",
        b"\0asm",
    ),
}  # fmt: skip
_RIFF_TYPES = {b"WEBP": "picture", b"WAVE": "sound", b"AVI ": "sound"}
# Brands of pictures in the ISO container (ftyp) that is otherwise used for films.
_PICTURE_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif")
_OLD_OFFICE = ("doc", "ppt")


def refusal_reason(file: SourceFile) -> str | None:
    """Return why a file in no supported binary format is refused; None if it may be text."""
    if file.is_package:
        return file.package_kind
    if file.compound is not None:
        return "old_office" if file.compound.kind in _OLD_OFFICE else file.compound.kind
    return refused_type(file.head)


def refused_type(head: bytes) -> str | None:
    """Return the reason for a file that begins with a refused type's signature, else None."""
    if head[4:8] == b"ftyp":
        return "picture" if head[8:12] in _PICTURE_BRANDS else "sound"
    if head.startswith(b"RIFF"):
        return _RIFF_TYPES.get(head[8:12], "unsupported")
    # A bitmap begins with "BM", as a text may; its four reserved bytes are zero.
    if head.startswith(b"BM") and head[6:10] == b"\0\0\0\0":
        return "picture"
    return next((reason for reason, known in _SIGNATURES.items() if head.startswith(known)), None)
