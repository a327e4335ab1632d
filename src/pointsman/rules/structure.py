"""What a text is made of: words, code, formulas, digits, lettered options. Each is one bounded, linear pass."""

from __future__ import annotations

import re

from .window import SCAN_CHARS, edges

WORD = re.compile(r"[^\W_]+(?:['’/+#-][^\W_]+)*[+#]*")
"""A run of letters and digits, with what holds compounds together; also "c++" and "c#"."""

_CODE_LINE_STARTS = (
    "def ", "class ", "import ", "from ", "return ", "elif ", "except ", "async def ", "function ", "const ", "let ",
    "var ", "public ", "private ", "#include", "#!/", "package ", "func ", "fn ", "using namespace", "SELECT ",
    "select ", "INSERT INTO ", "UPDATE ", "CREATE TABLE", "ALTER TABLE", "Traceback (most recent", "$ ", ">>> ",
    "<?php", "<div", "<html", "FROM ", "RUN ",
    "@app.", "@pytest", "diff --git", "+++ ", "@@ ",
    "export ", "assert ", "[PYTHON]",
)  # fmt: skip
_CODE_LINE_ENDS = (";", "{", "}", "):", "});", "=> {", "]:", "else:")
_PROSE_END = re.compile(r"[.!?]\s*$")
_N_CODE_LINES = 2
"""One such line may be prose ("let us …", "from Monday …"); two in one text hardly are."""

_INLINE_CODE = re.compile(
    r"\b\w{1,60}\([^()\n]{0,80}\)\s{0,2}(?:[;{]|=>|->)|\b[a-z_]\w{0,60}\.[a-z_]\w{0,60}\(|\bSELECT\s[^;]{1,200}\sFROM\s"
)

_FORMULA = re.compile(
    r"\\(?:frac|sqrt|sum|int|prod|lim|begin|cdot|times|div|le|ge|leq|geq|alpha|beta|theta|pi|log|sin|cos|text|boxed|binom|pmod)\b"
    r"|\$[^$\n]{0,80}[\\^_=+<>][^$\n]{0,80}\$"
    r"|[a-zA-Z0-9)]\s?\^\s?[({0-9a-zA-Z]"
    r"|\d[a-z]?\s?[-+*/×÷]\s?\d{1,12}[a-z]?\s?[-+*/×÷=]"
    r"|\b\d{0,6}[a-z]\s?[-+*/]\s?\d{1,9}[a-z]?\s?="
    r"|\b[a-z]\s?=\s?-?\d"
    r"|[∑∫√∞≤≥≠∂∈∀∃π²³]"
)

_DIGITS = re.compile(r"\d+")
_SPACES = re.compile(r"\s+")
_OPTION = re.compile(r"^[ \t]{0,4}\(?([A-J])[.):][ \t]", re.MULTILINE)
_N_OPTIONS = 3


def words_of(text: str) -> list[str]:
    """The words of the text in lower case, with straight apostrophes, in order."""
    return WORD.findall(text.lower().replace("’", "'"))


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
        if stripped.endswith(_CODE_LINE_ENDS) or (
            stripped.startswith(_CODE_LINE_STARTS) and _PROSE_END.search(stripped[-3:]) is None
        ):
            n_lines += 1
            if n_lines >= _N_CODE_LINES:
                return True
    return _INLINE_CODE.search(seen) is not None


def has_formula(text: str) -> bool:
    """True when the text holds LaTeX, an equation, an arithmetic expression or a mathematical sign.

    Looks at the first and the last 10,000 characters. A fraction, a range and a date alone are no formula.
    """
    return _FORMULA.search(edges(text, SCAN_CHARS // 2)) is not None


def digits_share(text: str) -> float:
    """Digits among the characters that are not white space, 0 to 1; 0 for an empty text.

    Looks at the first and the last 10,000 characters.
    """
    seen = edges(text, SCAN_CHARS // 2)
    n_visible = len(seen) - sum(map(len, _SPACES.findall(seen)))
    return sum(map(len, _DIGITS.findall(seen))) / n_visible if n_visible else 0.0


def has_options(text: str) -> bool:
    """True when the text offers three or more options, lettered at the starts of lines, as exam questions do."""
    return len(set(_OPTION.findall(text))) >= _N_OPTIONS
