"""TeX for formulas: the characters and constructs that Office's and MathML's formulas share."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

# Command and character, in turns.
_COMMANDS = (
    "alpha α beta β gamma γ delta δ epsilon ϵ varepsilon ε zeta ζ eta η theta θ vartheta ϑ iota ι "
    "kappa κ lambda λ mu μ nu ν xi ξ pi π varpi ϖ rho ρ varrho ϱ sigma σ varsigma ς tau τ "
    "upsilon υ phi ϕ varphi φ chi χ psi ψ omega ω Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Pi Π "
    "Sigma Σ Upsilon Υ Phi Φ Psi Ψ Omega Ω "
    "sum ∑ prod ∏ coprod ∐ int ∫ iint ∬ iiint ∭ oint ∮ oiint ∯ oiiint ∰ bigcup ⋃ bigcap ⋂ "
    "bigvee ⋁ bigwedge ⋀ bigoplus ⨁ bigotimes ⨂ bigodot ⨀ biguplus ⨄ bigsqcup ⨆ "
    "times × div ÷ pm ± mp ∓ cdot ⋅ ast ∗ star ⋆ circ ∘ bullet ∙ oplus ⊕ ominus ⊖ otimes ⊗ odot ⊙ "
    "wedge ∧ vee ∨ cap ∩ cup ∪ setminus ∖ neg ¬ "
    "le ≤ ge ≥ ne ≠ equiv ≡ approx ≈ cong ≅ sim ∼ simeq ≃ propto ∝ ll ≪ gg ≫ doteq ≐ prec ≺ "
    "succ ≻ preceq ≼ succeq ≽ in ∈ notin ∉ ni ∋ subset ⊂ supset ⊃ subseteq ⊆ supseteq ⊇ "
    "subsetneq ⊊ nsubseteq ⊈ perp ⊥ parallel ∥ mid ∣ nmid ∤ vdash ⊢ models ⊨ "
    "to → leftarrow ← leftrightarrow ↔ uparrow ↑ downarrow ↓ Rightarrow ⇒ Leftarrow ⇐ "
    "Leftrightarrow ⇔ mapsto ↦ longrightarrow ⟶ longleftarrow ⟵ Longrightarrow ⟹ iff ⟺ "
    "rightharpoonup ⇀ rightleftharpoons ⇌ "
    "infty ∞ partial ∂ nabla ∇ forall ∀ exists ∃ nexists ∄ emptyset ∅ therefore ∴ because ∵ "
    "angle ∠ triangle △ square □ hbar ℏ ell ℓ Re ℜ Im ℑ aleph ℵ wp ℘ prime ′ dagger † ddagger ‡ "
    "ldots … cdots ⋯ vdots ⋮ ddots ⋱ langle ⟨ rangle ⟩ lfloor ⌊ rfloor ⌋ lceil ⌈ rceil ⌉ surd √"
)
_IN_TURNS = _COMMANDS.split()
SYMBOLS = {
    character: f"\\{command}"
    for command, character in zip(_IN_TURNS[::2], _IN_TURNS[1::2], strict=True)
} | {
    "∆": "\\Delta", "·": "\\cdot", "\u3008": "\\langle", "\u3009": "\\rangle",
    "\u2329": "\\langle", "\u232a": "\\rangle", "‖": "\\|", "−": "-", "″": "''",
    "∎": "\\blacksquare", "\u00b5": "\\mu", "∶": ":",
    "{": "\\{", "}": "\\}", "#": "\\#", "$": "\\$", "%": "\\%", "_": "\\_", "\\": "\\backslash",
    "^": "\\hat{}", "\u00a0": " ", "\u2003": " ", "\u2009": " ", "\u2002": " ",
}  # fmt: skip
# Invisible operators (application, multiplication, separator, addition) and joiners.
_UNSEEN = frozenset("\u2061\u2062\u2063\u2064\u200b\u2060\ufeff")
_FUNCTIONS = (
    "arccos arcsin arctan arg cos cosh cot coth csc deg dim exp hom ker lg ln log sec sin sinh tan "
    "tanh"
)
_WITH_LIMITS = "det gcd inf lim liminf limsup max min Pr sup"
LIMIT_FUNCTIONS = frozenset(_WITH_LIMITS.split())
FUNCTIONS = LIMIT_FUNCTIONS.union(_FUNCTIONS.split())
OPERATORS = frozenset("∑∏∐∫∬∭∮∯∰⋃⋂⋁⋀⨁⨂⨀⨄⨆")
_TAKE_LIMITS = {f"\\{name}" for name in LIMIT_FUNCTIONS} | {SYMBOLS[one] for one in OPERATORS}
ACCENTS = {
    "\u0302": "hat", "^": "hat", "ˆ": "widehat", "\u0303": "tilde", "~": "tilde", "˜": "widetilde",
    "\u0304": "bar", "\u0305": "overline", "¯": "overline", "‾": "overline", "\u0307": "dot",
    "˙": "dot", "\u0308": "ddot", "¨": "ddot", "\u20db": "dddot", "\u20d7": "vec", "→": "vec",
    "\u20d6": "overleftarrow", "←": "overleftarrow", "\u20e1": "overleftrightarrow",
    "\u0306": "breve", "˘": "breve", "\u030c": "check", "ˇ": "check", "\u0301": "acute",
    "´": "acute", "\u0300": "grave", "`": "grave", "\u030a": "mathring", "˚": "mathring",
    "⏞": "overbrace", "⏜": "overparen",
}  # fmt: skip
ACCENTS_BELOW = {
    "⏟": "underbrace", "_": "underline", "\u0332": "underline", "\u0331": "underline",
    "⏝": "underparen",
}  # fmt: skip
_STYLES = {"DOUBLE-STRUCK": "mathbb", "SCRIPT": "mathcal", "FRAKTUR": "mathfrak"}
_BLACKBOARD = frozenset("ℂℍℕℙℚℝℤ")
_WIDE = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]+")
_ENDS_COMMAND, _BEGINS_LETTER = re.compile(r"\\[a-zA-Z]+$"), re.compile("[a-zA-Z]")
_ATOM = re.compile(r"\\[a-zA-Z]+|\\?[^\\{}^_&]|\\(?:mathbb|mathcal|mathfrak|mathrm)\{\w+\}")
_TALL = re.compile(
    r"\\(?:frac|sum|prod|coprod|o?i*nt|big[a-z]+|begin|sqrt|substack|under|over|binom)"
)
_MATRIX = re.compile(r"\\begin\{matrix\}(?:(?!\\(?:begin|end)\{).)*\\end\{matrix\}", re.DOTALL)
_FENCED_MATRICES = {"()": "pmatrix", "[]": "bmatrix", "{}": "Bmatrix", "||": "vmatrix"} | {
    "‖‖": "Vmatrix",
    "{": "cases",
}


def join(pieces: Iterable[str]) -> str:
    """Join pieces of TeX, with a space between a command and a letter."""
    joined = ""
    for piece in pieces:
        if _BEGINS_LETTER.match(piece) and _ENDS_COMMAND.search(joined[-40:]):
            joined += " "
        joined += piece
    return joined


def symbols(text: str, separator: str = "") -> str:
    """Return plain text of a formula with its signs as commands; `separator` stands for "&"."""
    pieces: list[str] = []
    for place, part in enumerate(re.split(f"({_WIDE.pattern})", text)):
        if place % 2:
            pieces.append(words(part))
        else:
            pieces += (separator if one == "&" else _symbol(one) for one in part)
    return join(pieces)


def words(text: str) -> str:
    """Return text that is words and not variables."""
    text = "".join(one for one in text if one not in _UNSEEN)
    escaped = re.sub(r"([#$%&_{}])", r"\\\1", text.replace("\\", ""))
    return f"\\text{{{escaped}}}" if text.strip() else " " * bool(text)


def name(text: str) -> str:
    """Return an upright name: a function, or a word."""
    if text in FUNCTIONS:
        return f"\\{text}"
    if len(text) > 1 and text.isalpha() and text.isascii():
        return f"\\mathrm{{{text}}}"
    return symbols(text)


def _symbol(character: str) -> str:
    if character.isascii() and character not in "{}#$%_\\^~":
        return character if character.strip() else " "
    if character in _UNSEEN:
        return ""
    if character in SYMBOLS:
        return SYMBOLS[character]
    plain = unicodedata.normalize("NFKC", character)
    if character in _BLACKBOARD:
        return f"\\mathbb{{{plain}}}"
    if "\U0001d400" <= character <= "\U0001d7ff":
        kind = unicodedata.name(character, "")
        style = next((style for word, style in _STYLES.items() if word in kind), "")
        return f"\\{style}{{{plain}}}" if style else SYMBOLS.get(plain, plain)
    return character


def fraction(above: str, below: str, kind: str = "") -> str:
    """Return a fraction; `kind` is "noBar" for a stack, "lin" for one in a line."""
    if kind == "noBar":
        return f"\\substack{{{above.strip()} \\\\ {below.strip()}}}"
    if kind in ("lin", "skw"):
        return f"{_grouped(above)}/{_grouped(below)}"
    return f"\\frac{{{above.strip()}}}{{{below.strip()}}}"


def root(content: str, degree: str = "") -> str:
    """Return a root."""
    return f"\\sqrt{f'[{degree.strip()}]' if degree.strip() else ''}{{{content.strip()}}}"


def scripts(of: str, below: str = "", above: str = "") -> str:
    """Return something with an index, an exponent, or both; for an operator, its limits."""
    below, above = below.strip(), above.strip()
    if not below and not above:
        return of
    of = of.strip()
    if of and not _ATOM.fullmatch(of) and not _is_group(of):
        of = f"{{{of}}}"
    return (of or "{}") + (f"_{_braced(below)}" if below else "") + _exponent(above)


def _exponent(above: str) -> str:
    if above in ("\\prime", "'", "''"):
        return "'" if above == "\\prime" else above
    return f"^{_braced(above)}" if above else ""


def limits(of: str, below: str = "", above: str = "") -> str:
    """Return something with signs or words below and above it."""
    stripped = of.strip()
    if stripped in _TAKE_LIMITS:
        return scripts(of, below, above)
    if re.match(r"\\(?:under|over)brace\{", stripped):
        return stripped + scripts("", below, above).removeprefix("{}")
    if above.strip():
        of = f"\\overset{{{above.strip()}}}{{{of.strip()}}}"
    if below.strip():
        of = f"\\underset{{{below.strip()}}}{{{of.strip()}}}"
    return of


def accent(content: str, sign: str) -> str:
    """Return something with an accent, brace or arrow above or below it."""
    content = content.strip()
    if command := ACCENTS.get(sign) or ACCENTS_BELOW.get(sign):
        return f"\\{command}{{{content}}}"
    return limits(content, above=symbols(sign))


def fenced(content: str, begin: str, end: str) -> str:
    """Return something in brackets, which grow with tall content; "" is no bracket."""
    content = content.strip()
    matrix = _FENCED_MATRICES.get(begin + end, "")
    if matrix and _MATRIX.fullmatch(content):
        return content.replace("{matrix}", f"{{{matrix}}}")
    if matrix == "cases" and content.startswith("\\begin{aligned}"):
        return content.replace("{aligned}", "{cases}")
    if begin + end == "()" and content.startswith("\\substack{"):
        parts = content.removeprefix("\\substack{").removesuffix("}").split(" \\\\ ")
        if len(parts) == 2 and content.count("\\substack") == 1 and content.endswith("}"):
            return f"\\binom{{{parts[0]}}}{{{parts[1]}}}"
    if not _TALL.search(content) and begin and end:
        return join((symbols(begin), content, symbols(end)))
    left, right = (symbols(one) if one else "." for one in (begin, end))
    return join((f"\\left{left}", " " * (left[0] == "\\"), content, f" \\right{right}"))


def rows(lines: Sequence[Sequence[str]], kind: str = "matrix") -> str:
    """Return a matrix, or the lines of an equation."""
    inside = " \\\\ ".join(" & ".join(cell.strip() for cell in line) for line in lines)
    return f"\\begin{{{kind}}}{inside}\\end{{{kind}}}"


def formula(content: str, display: bool) -> str:
    """Return a formula with its marks; "" for an empty one."""
    content = " ".join(content.split())
    mark = "$$" if display else "$"
    return f"{mark}{content}{mark}" if content else ""


def _braced(content: str) -> str:
    return content if len(content) == 1 else f"{{{content}}}"


def _grouped(content: str) -> str:
    content = content.strip()
    return content if re.fullmatch(r"\\?\w+", content) else f"({content})"


def _is_group(content: str) -> bool:
    """Return whether a content is one pair of brackets."""
    if content.startswith("\\left") and re.search(r"\\right[^a-zA-Z]$", content):
        return content.count("\\left") == 1
    if content.startswith("(") and content.endswith(")"):
        return content.count("(") == 1
    return bool(re.fullmatch(r"\\(?:overline|bar|hat|vec|dot|ddot|tilde)\{[^{}]*\}", content))
