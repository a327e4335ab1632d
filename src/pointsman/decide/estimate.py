"""How many tokens an answer will probably have, for the cost estimates that stand in a decision.

Only estimates use this: what a request really cost is in its record, from the upstream's own count.
"""

from __future__ import annotations

from pointsman.vocabulary import Request, TaskKind, Usage

# Typical answer lengths in tokens, by kind of task: (a base, a share of the prompt's tokens). They are assumptions
# chosen for their order of magnitude, not measurements; the ledger's own averages should replace them.
_ANSWER_TOKENS: dict[TaskKind, tuple[int, float]] = {
    TaskKind.CLASSIFICATION: (8, 0.0),
    TaskKind.EXTRACTION: (40, 0.25),
    TaskKind.SUMMARISATION: (80, 0.15),
    TaskKind.TRANSLATION: (10, 1.2),
    TaskKind.REWRITING: (20, 1.1),
    TaskKind.SHORT_QUESTION: (120, 0.0),
    TaskKind.CODE: (350, 0.3),
    TaskKind.MATHS: (350, 0.0),
    TaskKind.REASONING: (450, 0.0),
    TaskKind.LONG_DOCUMENT: (400, 0.0),
    TaskKind.OTHER: (250, 0.0),
}
_MOST_TOKENS = 4_000


def expected_output_tokens(request: Request, kind: TaskKind | None) -> int:
    """The answer's probable length in tokens, never above what the request allows."""
    base, share = _ANSWER_TOKENS[TaskKind.OTHER if kind is None else kind]
    tokens = min(_MOST_TOKENS, base + round(share * request.n_prompt_tokens))
    if request.max_output_tokens is not None:
        tokens = min(tokens, request.max_output_tokens)
    return tokens


def expected_usage(request: Request, kind: TaskKind | None) -> Usage:
    """The usage a call will probably report, marked as estimated."""
    return Usage(
        input_tokens=request.n_total_tokens,
        output_tokens=expected_output_tokens(request, kind),
        estimated=True,
    )
