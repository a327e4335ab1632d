"""What a text is made of: words, code, formulas, digits, lettered options. Each is one bounded, linear pass."""

from __future__ import annotations

import re

from .window import SCAN_CHARS, edges

_ASCII_SEPARATORS = '.,;:!?()[]{}<>"|*`=~^/\\_&%$@+\t\n\r\x0b\x0c'
_SEPARATORS = bytes.maketrans(_ASCII_SEPARATORS.encode(), b" " * len(_ASCII_SEPARATORS))
_WIDE_SEPARATORS = re.compile(
    "["
    "\u00a0-\u00bf"  # Latin-1 punctuation and signs
    "\u060c\u061b\u061f"  # Arabic comma, semicolon, question mark
    "\u2000-\u2018\u201a-\u206f"  # general punctuation, save the apostrophe
    "\u3000-\u301f"  # Chinese and Japanese punctuation
    "\uff01-\uff0f\uff1a-\uff20"  # its full-width forms
    "]"
)
_APOSTROPHE = "\u2019"
"""What ends a word, and the typographic apostrophe, which is made straight. Hyphens and "#" (as in "C#") stay."""

_CODE_LINE_STARTS = (
    "def ", "class ", "import ", "from ", "return ", "elif ", "except ", "async def ", "function ", "const ", "let ",
    "var ", "public ", "private ", "#include", "#!/", "package ", "func ", "fn ", "using namespace", "SELECT ",
    "select ", "INSERT INTO ", "UPDATE ", "CREATE TABLE", "ALTER TABLE", "Traceback (most recent", "$ ", ">>> ",
    "<?php", "<div", "<html", "FROM ", "RUN ",
    "@app.", "@pytest", "diff --git", "+++ ", "@@ ",
    "export ", "assert ", "[PYTHON]",
)  # fmt: skip
_CODE_LINE_ENDS = (";", "{", "}", "):", "});", "=> {", "]:", "else:")
_DEFINITION_STARTS = ("def ", "async def ", "func ", "fn ", "function ")
"""With a bracket on the same line one of these is enough."""
_PROSE_END = re.compile(r"[.!?]\s*$")
_N_CODE_LINES = 2
"""One such line may be prose ("let us …", "from Monday …"); two in one text hardly are."""

# Each begins with one literal character, so that `re` skips through a text without it at the speed of memchr.
_STATEMENT = re.compile(r"\((?<=\w\()[^()\n]{0,80}\)\s{0,2}(?:[;{]|=>|->)")
_METHOD_CALL = re.compile(r"\.(?<=\w\.)[a-z_]\w{0,60}\((?!s\))")
_QUERY = re.compile(r"SELECT\s[^;]{1,300}\sFROM\s")

# Not \boxed and \text: benchmarks and users ask for answers to anything in a box.
_LATEX = re.compile(
    r"\\(?:frac|sqrt|sum|int|prod|lim|begin|cdot|times|div|le|ge|leq|geq|alpha|beta|theta|pi|log|ln|sin|cos|tan|"
    r"binom|pmod|infty|angle|triangle|overline|left|mathbb|mathrm|circ|ldots|dots|equiv|to|in)(?![a-z])"
)
_DOLLARS = re.compile(r"\$[^$\n]{0,80}[\\^_=+<>][^$\n]{0,80}\$")
_POWER = re.compile(r"\^(?<=[\w)]\^)[({\w-]|\^(?<=[\w)] \^) ?[({\w-]")
_EQUATION = re.compile(r"=(?<=\d=)[^=]|=(?<=\d =)[^=]|=(?<=\b[a-z]=) ?[-(\dπ]|=(?<=\b[a-z] =) ?[-(\dπ]")
_OPERATORS = ("+", "*", "×", "÷", " - ", " / ", "%")
_ARITHMETIC = re.compile(
    r"[+*×÷](?<=\d.) ?\d|[+*×÷](?<=\d .) ?\d|[-/](?<=\d .) \d"
    r"|%(?:(?<=\d%)|(?<=\d %)) (?:of|von|de|di|van|af)\b"
)
_FUNCTION = re.compile(r"\((?<=sqrt\()|\((?<=\bsin\()|\((?<=\bcos\()|\((?<=\blog\()")
_SIGNS = re.compile("[∑∫√∞≤≥≠∂∈∀∃π²³]")

_CLUES = re.compile(
    r"^\W{0,4}(?:clues?(?:\(s\))?|hints?|premises?|indizien|hinweise|pistas|indices|indizi)\s?:",
    re.MULTILINE | re.IGNORECASE,
)
_FEW_WORDS_PER_NUMBER = 60
_N_GIVEN_NUMBERS = 2

_DIGITS = re.compile(r"\d+")
_ASCII_DIGITS = b"0123456789"
_ASCII_SPACE = bytes(code for code in range(128) if chr(code).isspace())
_OPTION = re.compile(r"^[ \t]{0,4}\(?([A-J])[.):][ \t]", re.MULTILINE)
_N_OPTIONS = 3


def words_of(text: str) -> list[str]:
    """The words of the text in lower case, in order; what stands between punctuation and white space."""
    lower = text.lower()
    if not lower.isascii():
        lower = _WIDE_SEPARATORS.sub(" ", lower).replace(_APOSTROPHE, "'")
    # Bytes are translated several times as fast as letters.
    return lower.encode("utf-8", "surrogatepass").translate(_SEPARATORS).decode("utf-8", "surrogatepass").split()


def has_code(text: str) -> bool:
    """True when the text holds a fenced code block, two lines that look like source code, or a call or query in line.

    Looks at the first and the last 10,000 characters.
    """
    if "```" in text:
        return True
    seen = edges(text, SCAN_CHARS // 2)
    n_lines = 0
    for line in seen.splitlines():
        stripped = line.strip()
        if stripped.startswith(_DEFINITION_STARTS) and "(" in stripped:
            return True
        if (stripped.endswith(_CODE_LINE_ENDS) and "\\" not in stripped) or (
            stripped.startswith(_CODE_LINE_STARTS) and _PROSE_END.search(stripped[-3:]) is None
        ):
            n_lines += 1
            if n_lines >= _N_CODE_LINES:
                return True
    return (
        _STATEMENT.search(seen) is not None
        or _METHOD_CALL.search(seen) is not None
        or ("SELECT" in seen and _QUERY.search(seen) is not None)
    )


def has_formula(text: str) -> bool:
    """True when the text holds LaTeX, a power, an equation, an arithmetic expression or a mathematical sign.

    Looks at the first and the last 10,000 characters. A fraction, a range and a date alone are no formula.
    """
    seen = edges(text, SCAN_CHARS // 2)
    return (
        ("\\" in seen and _LATEX.search(seen) is not None)
        or ("$" in seen and _DOLLARS.search(seen) is not None)
        or ("^" in seen and _POWER.search(seen) is not None)
        or ("=" in seen and _EQUATION.search(seen) is not None)
        or (any(sign in seen for sign in _OPERATORS) and _ARITHMETIC.search(seen) is not None)
        or ("(" in seen and _FUNCTION.search(seen) is not None)
        or (not seen.isascii() and _SIGNS.search(seen) is not None)
    )


def digits_share(text: str) -> float:
    """Digits among the characters that are not white space, 0 to 1; 0 for an empty text.

    Looks at the first and the last 10,000 characters.
    """
    seen = edges(text, SCAN_CHARS // 2)
    if seen.isascii():
        raw = seen.encode("ascii")
        n_visible = len(raw.translate(None, _ASCII_SPACE))
        n_digits = len(raw) - len(raw.translate(None, _ASCII_DIGITS))
    else:
        n_visible = sum(map(len, seen.split()))
        n_digits = sum(map(len, _DIGITS.findall(seen)))
    return n_digits / n_visible if n_visible else 0.0


def has_options(text: str) -> bool:
    """True when the text offers three or more options, lettered at the starts of lines, as exam questions do."""
    return text.count("\n") >= _N_OPTIONS - 1 and len(set(_OPTION.findall(text))) >= _N_OPTIONS


def has_clues(text: str) -> bool:
    """True when a line begins a list of clues or premises, as logic puzzles do."""
    return ":" in text and "\n" in text and _CLUES.search(text) is not None


def has_digits(text: str) -> bool:
    """True when the text holds a digit."""
    return _DIGITS.search(text) is not None


def has_given_numbers(text: str, n_words: int) -> bool:
    """True when the text asks a question and gives two or more numbers for it, as sums told in words do."""
    if "?" not in text[-200:]:
        return False
    return len(_DIGITS.findall(text)) >= max(_N_GIVEN_NUMBERS, n_words // _FEW_WORDS_PER_NUMBER)
