"""Source code: keeps the lines and makes a section of each definition, found by regular
expressions for most languages."""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import PurePath

from chatapp.core.text import HEADING_JOINT
from chatapp.knowledge.formats.document import MAX_SECTIONS, Document, Section
from chatapp.knowledge.formats.plain import checked

MEDIA_TYPE = "text/x-source"
MAX_DEPTH = 3  # nested definitions
# Longest line that may begin a definition; longer ones were not written by hand.
MAX_LINE = 400
_EXTENSIONS = (
    ".py .pyi .pyx .js .mjs .cjs .jsx .ts .mts .cts .tsx .vue .svelte .astro .java .kt .kts "
    ".scala .groovy .gradle .cs .fs .vb "
    ".swift .dart .php .c .h .cc .cpp .cxx .hh .hpp .hxx .m .mm .go .rs .rb .lua .pl .pm .r .jl "
    ".ex .exs .erl .hs .ml .clj .el "
    ".lisp .scm .sh .bash .zsh .fish .ps1 .psm1 .bat .cmd .sql .css .scss .sass .less .proto "
    ".thrift .graphql .tf .hcl .nix "
    ".zig .nim .v .sv .vhd .asm .s .f90 .pas .cmake .mk .sol .jsp .asp .aspx .cshtml .erb .ejs "
    ".hbs .j2 .jinja .twig .tmpl"
)
_FILES = (
    "makefile gnumakefile dockerfile containerfile jenkinsfile vagrantfile rakefile gemfile "
    "cmakelists.txt"
)
EXTENSIONS, NAMES = frozenset(_EXTENSIONS.split()), frozenset(_FILES.split())
_HASH_COMMENT_EXTENSIONS = ".py .pyi .pyx .rb .r .sh .bash .zsh .fish .pl .pm .ex .exs .jl .nix"
# Comments begin with #, and /* is no comment.
_HASH_COMMENTS = frozenset(_HASH_COMMENT_EXTENSIONS.split())
_C_EXTENSIONS = frozenset((".c", ".h", ".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx", ".m", ".mm"))

_CONTAINERS = (
    "class|interface|enum|record|struct|union|object|trait|protocol|extension|namespace|module|"
    "impl|mod|defmodule|service"
)
_FUNCTIONS = "defp|defmacro|def|func|fun|fn|function\\*?|sub|procedure|type|message"
_MODIFIERS = (
    "export|default|declare|abstract|async|public|protected|private|internal|static|final|sealed|partial|override|virtual|open|data|"
    "suspend|inline|operator|unsafe|extern|const|local|readonly|synchronized|native|case|annotation|pub(?:\\([^)]*\\))?"
)
_BY_KEYWORD = re.compile(
    rf"(?:(?:{_MODIFIERS})\s+)*(?:(?P<container>{_CONTAINERS})|{_FUNCTIONS})\s+(?:class\s+)?(?:<[^>]*>\s*)?(?:\([^)]*\)\s*)?"
    r"(?P<name>[\w$][\w$.]*(?:::~?\w+)*[?!]?)(?=\s*[({:<\[=;,\"]|\s*$|\s+(?:extends|implements|for|where|with|do|is|as|from|struct|interface))",
    re.IGNORECASE,
)
_MEMBER = re.compile(  # in a class: with modifiers before it, or a body after it
    rf"(?:(?:{_MODIFIERS})\s+)+(?:[\w<>\[\],.?*&]+\s+)*?(?P<name>[\w$#~]+)\s*\(|"
    r"(?:(?:static|async|get|set)\s+)*[*#]?(?P<method>[\w$]+)\s*\([^;]*\)\s*(?::\s*[^{;]+)?\{\s*$"
)
_ARROW = re.compile(
    r"(?:export\s+)?(?:const|let|var)\s+(?P<name>[\w$]+)[^=]*=\s*(?:async\s*)?(?:function\b|\([^)]*\)[^=]*=>|[\w$]+\s*=>)"
)
_C_FUNCTION = re.compile(
    r"(?!typedef|return|else)[A-Za-z_][\w\s*&:<>,~\[\]]*?\b(?P<name>[A-Za-z_][\w:~]*)\s*\([^;]*$"
)
_OTHERS = (
    re.compile(r"(?P<name>[\w-]+)\s*\(\)\s*\{?\s*$"),  # shell
    re.compile(r"(?P<name>[\w.]+)\s*(?:<-|=)\s*function\b"),  # R, Lua
    re.compile(
        r"create\s+(?:or\s+replace\s+)?(?:\w+\s+)?(?:table|view|function|procedure|trigger|index|type)\s+(?:if\s+not\s+exists\s+)?"
        r"(?P<name>[\w.\"`\[\]]+)",
        re.IGNORECASE,
    ),
    re.compile(
        r"(?P<name>(?:resource|data|module|variable|output|provider)(?:\s+\"[^\"]+\")+)\s*\{"
    ),  # Terraform
)
# make; a line that begins with a tab follows
_TARGET = re.compile(r"(?P<name>[\w./-]+)\s*:(?![=:]).*$")
_STATEMENTS = (
    "if for while switch catch return else elif function new await typeof do try with using lock "
    "foreach"
)
_NOT_NAMES = frozenset(_STATEMENTS.split())
_COMMENT_OR_DECORATOR = re.compile(r"\s*(?:#(?!include|define|if|endif)|//|/\*|\*|@|--|;;|\[\w)")


def is_code(name: str) -> bool:
    """Return whether a file's name is that of source code."""
    path = PurePath(name.lower())
    return path.suffix in EXTENSIONS or path.name in NAMES


def read(text: str, name: str) -> Document:
    """Read source code; its lines are kept."""
    text = checked(text)
    return Document(
        MEDIA_TYPE,
        text,
        tuple(islice(code_sections(text, PurePath(name.lower()).suffix), MAX_SECTIONS)),
    )


def code_sections(text: str, extension: str) -> Iterator[Section]:
    """Yield a section for each top-level or class-level definition, with the comment above it."""
    # indentation, name, and whether it may contain definitions
    above: list[tuple[int, str, bool]] = []
    lines = text.split("\n")
    start = section_start = 0
    in_comment = False  # between /* and */
    for number, line in enumerate(lines):
        if (
            not in_comment
            and not _COMMENT_OR_DECORATOR.match(line)
            and (found := _definition(lines, number, extension, above))
        ):
            indent, name, container = found
            while above and above[-1][0] >= indent:
                above.pop()
            if len(above) < MAX_DEPTH and (above[-1][2] if above else indent == 0):
                above.append((indent, name, container))
                yield Section(section_start, HEADING_JOINT.join(name for _, name, _ in above))
        start += len(line) + 1
        in_comment = (
            (in_comment or "/*" in line) and "*/" not in line
            if extension not in _HASH_COMMENTS
            else False
        )
        if not in_comment and not _COMMENT_OR_DECORATOR.match(line):
            section_start = start


def _definition(
    lines: list[str], number: int, extension: str, above: list[tuple[int, str, bool]]
) -> tuple[int, str, bool] | None:
    """Return a definition's indentation and name, and whether it may contain definitions."""
    line = lines[number].expandtabs(4)
    bare = line.strip()
    indent = len(line) - len(line.lstrip())
    if not bare or len(line) > MAX_LINE:
        return None
    if found := _BY_KEYWORD.match(bare):
        return indent, found.group("name"), bool(found.group("container"))
    outer = next(
        (container for depth, _, container in reversed(above) if depth < indent),
        extension == ".java",
    )
    recipe = extension in ("", ".mk") and "".join(lines[number + 1 : number + 2]).startswith("\t")
    for pattern in _patterns(bare, indent, extension, outer, recipe):
        if found := pattern.match(bare):
            name = found.group(found.lastgroup or "name")
            return (indent, name, False) if name not in _NOT_NAMES else None
    return None


def _patterns(
    bare: str, indent: int, extension: str, outer: bool, recipe: bool
) -> Iterator[re.Pattern[str]]:
    """Yield the patterns of definitions without a keyword that are possible here."""
    if not outer:
        yield _ARROW
    elif "(" in bare:
        yield _MEMBER
    if indent == 0 and extension not in _C_EXTENSIONS:
        yield from _OTHERS
    elif indent == 0 and "(" in bare:
        yield _C_FUNCTION
    if indent == 0 and recipe:
        yield _TARGET
