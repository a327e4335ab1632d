"""Whether the program text in an answer can be read at all: fenced blocks that say they are Python or JSON."""

from __future__ import annotations

import ast
import json
import re
import warnings
from typing import Final

_FENCE: Final = re.compile(r"^[ \t]*```[ \t]*([A-Za-z0-9+#]*)[^\n]*\n(.*?)^[ \t]*```", re.DOTALL | re.MULTILINE)
MAX_CHARS: Final = 20_000
"""Of a block; longer ones are not read."""


def fenced_blocks(text: str) -> list[tuple[str, str]]:
    """(language in lower case, content) of each closed fenced block."""
    return [(language.lower(), body) for language, body in _FENCE.findall(text)] if "```" in text else []


def unreadable_code(text: str) -> str | None:
    """Why a fenced Python or JSON block does not parse, None when all do; other languages are not looked at.

    A Python block with prompts of the interpreter (">>>") or an ellipsis line counts as an excerpt and is not read.
    """
    for language, body in fenced_blocks(text):
        if len(body) > MAX_CHARS:
            continue
        if language in ("python", "py", "python3") and ">>>" not in body:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    ast.parse(body)
            except SyntaxError as error:
                return f"Python that does not parse: {error.msg}"
            except (ValueError, RecursionError, MemoryError):
                return "Python that does not parse"
        if language == "json":
            try:
                json.loads(body)
            except (ValueError, RecursionError):
                return "JSON that does not parse"
    return None
