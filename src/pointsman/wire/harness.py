"""What an agent's harness writes into the user's turn, which no user asked and which tells nothing of difficulty.

Claude Code puts reminders, its project's CLAUDE.md among them, into `<system-reminder>`; Codex sends
`<environment_context>`, `<user_instructions>` and the project's AGENTS.md as turns of the user; Cline and Roo Code add
`<environment_details>`. Seen in recorded requests of Claude Code 2.1 and Codex 0.169, and in the public sources of the
others (2026-11).
"""

from __future__ import annotations

from typing import Final

_TAGS: Final = (
    "system-reminder",
    "environment_context",
    "user_instructions",
    "environment_details",
    "permissions instructions",
    "INSTRUCTIONS",
)
_AGENTS_HEAD: Final = "# AGENTS.md instructions"


def without_harness(text: str) -> str:
    """The text without such blocks; itself when there are none, empty when there is nothing else.

    A tag that is never closed hides nothing. Each tag is one pass over the text.
    """
    if "</" not in text:
        return text
    out = text
    for tag in _TAGS:
        if f"<{tag}>" in out:
            out = _without(out, f"<{tag}>", f"</{tag}>")
    if out is text:
        return text
    out = out.strip()
    if out.startswith(_AGENTS_HEAD):
        out = out.partition("\n")[2].strip()
    return out


def _without(text: str, opening: str, closing: str) -> str:
    kept: list[str] = []
    at = 0
    while True:
        start = text.find(opening, at)
        end = -1 if start < 0 else text.find(closing, start + len(opening))
        if end < 0:
            break
        kept.append(text[at:start])
        at = end + len(closing)
    if not kept:
        return text
    kept.append(text[at:])
    return "".join(kept)
