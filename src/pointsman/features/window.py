"""What the features read of a request: the text that asks, and of a huge text only its ends."""

from __future__ import annotations

from typing import Final

from pointsman.vocabulary import Request, Role

EDGE_CHARS: Final = 2_000
"""Of a text longer than twice this, the first and the last this many characters are read: the instruction stands at
one end and the material between. About 500 tokens of English each."""

INSTRUCTION_CHARS: Final = 1_000
"""A system prompt up to this long is taken for the instruction of the task and read before the user's text; a longer
one describes a setting, and only its length counts."""

FOLLOW_UP_CHARS: Final = 60
"""A last turn up to this long may say nothing by itself ("yes, do it"), so the user's turn before it is read too."""
FOLLOW_UP_TURNS: Final = 6
"""So many turns back the turn is looked for that such a one follows; when all are as short, it is the one before."""

_STOCK_PERSONA: Final = "you are a helpful assistant"
_STOCK_CHARS: Final = 40


def text_of(request: Request) -> str:
    """The text that asks: the last user turn, with what it leans on before it; parts are joined by a newline.

    Before it come a short system prompt (at most `INSTRUCTION_CHARS`, the stock "You are a helpful assistant." aside)
    and, when the last user turn has at most `FOLLOW_UP_CHARS`, the one that it follows. Empty when nobody wrote
    anything. Both the features and the embedding read this text.
    """
    turns = request.turns
    if len(turns) == 1 and turns[0].role is Role.USER:
        return turns[0].text
    spoken = [turn.text for turn in turns if turn.role is Role.USER and turn.text]
    parts = spoken[-1:]
    if len(spoken) > 1 and len(spoken[-1]) <= FOLLOW_UP_CHARS:
        # "yes", "do it", "go on": what they go on with is the nearest turn that says something by itself.
        earlier = spoken[-2 : -2 - FOLLOW_UP_TURNS : -1]
        parts.insert(0, next((text for text in earlier if len(text) > FOLLOW_UP_CHARS), spoken[-2]))
    system = request.system_text
    if 0 < len(system) <= INSTRUCTION_CHARS and not _is_stock(system):
        parts.insert(0, system)
    return "\n".join(parts)


def window(text: str) -> str:
    """The text, or the first and the last `EDGE_CHARS` characters of a longer one, with a newline between."""
    if len(text) <= 2 * EDGE_CHARS:
        return text
    return f"{text[:EDGE_CHARS]}\n{text[-EDGE_CHARS:]}"


def _is_stock(system: str) -> bool:
    return len(system) <= _STOCK_CHARS and system.strip().lower().startswith(_STOCK_PERSONA)
