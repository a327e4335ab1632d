"""The gateway's own ledger: records with their prompts, as `pointsman export --prompts` gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..prompt_text import answer_text, routed_text
from .records import Rows, number, whole


def from_ledger(entries: Iterable[Mapping[str, object]], rows: Rows | None = None) -> Rows:
    """Rows from ledger records, with the last feedback score where there is one.

    Records without a stored prompt, that failed, or that were simulated are left out and counted.
    """
    out = Rows() if rows is None else rows
    for entry in entries:
        out.n_read += 1
        why = _left_out(entry)
        prompt = routed_text(entry.get("prompt"))
        if why is None and prompt is None:
            why = "no prompt stored (the ledger keeps them when told to)"
        if why is not None:
            out.drop(why)
            continue
        usage = entry.get("usage")
        tokens = usage if isinstance(usage, Mapping) else {}
        out.add(
            source="ledger",
            dataset=_first_tag(entry),
            prompt_id=str(entry["request_id"]),
            prompt=prompt,
            model=str(entry["model"]),
            score=_score(entry),
            response=_answer(entry.get("answer")),
            prompt_tokens=whole(tokens.get("input_tokens")),
            completion_tokens=whole(tokens.get("output_tokens")),
            cost_usd=number(entry.get("cost_usd")),
            latency_ms=number(entry.get("total_ms")),
        )
    return out


def _left_out(entry: Mapping[str, object]) -> str | None:
    if entry.get("status") != "ok":
        return "the request did not end well"
    if entry.get("simulated"):
        return "simulated"
    return None if entry.get("model") else "no model"


def _first_tag(entry: Mapping[str, object]) -> str:
    tags = entry.get("tags")
    return str(tags[0]) if isinstance(tags, list | tuple) and tags else ""


def _score(entry: Mapping[str, object]) -> float | None:
    said = entry.get("feedback")
    if not isinstance(said, list | tuple):
        return None
    scores = [number(each.get("score")) for each in said if isinstance(each, Mapping)]
    known = [score for score in scores if score is not None and 0 <= score <= 1]
    return known[-1] if known else None


def _answer(answer: object) -> str | None:
    if answer is None:
        return None
    text = answer_text(answer)
    if text is not None:
        return text
    return answer if isinstance(answer, str) else None
