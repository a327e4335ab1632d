"""The gateway's own ledger: records with their prompts, as `pointsman export --prompts` gives them.

What use has said of an answer becomes its score, one label an answer: a comparison with the strong tier first, for it
is what routing asks; then feedback; then that its asker asked again, which is weak and says only that something was
missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pointsman.vocabulary import FeedbackLabel

from ..prompt_text import answer_text, routed_text
from .asked_again import AskedAgain
from .records import Rows, number, parsed, whole

ASKED_AGAIN_WEIGHT = 0.25
"""Against 1 for a label that somebody gave on purpose."""
STRONG_SCORE = 0.5
"""Of the strong answer in a comparison, as in pairwise labels: a tie is as good."""

_WORDS = {
    **dict.fromkeys(("good", "up", "thumbs_up", "thumbs-up", "like", "positive", "correct", "helpful", "👍"), 1.0),
    **dict.fromkeys(
        ("bad", "down", "thumbs_down", "thumbs-down", "dislike", "negative", "wrong", "unhelpful", "👎"), 0.0
    ),
    FeedbackLabel.RIGHT_TIER.value: 1.0,
    FeedbackLabel.TOO_CHEAP.value: 0.0,
    FeedbackLabel.TOO_STRONG.value: 1.0,
}
"""Labels of feedback that are scores in words, the dashboard's among them; others score nothing."""


def from_ledger(entries: Iterable[Mapping[str, object]], rows: Rows | None = None) -> Rows:
    """Rows from ledger records, oldest first, each with the best label there is, its source and its weight.

    A record that was compared gives two rows: the served answer's and the strong model's. One that a person called
    "too strong" gives two as well: the next cheaper tier's model would have been good enough. Records without a stored
    prompt, that failed, or that were simulated are left out and counted.
    """
    out = Rows() if rows is None else rows
    again = AskedAgain()
    served: dict[str, dict[str, object]] = {}
    shares: list[tuple[dict[str, object], float]] = []
    for entry in entries:
        out.n_read += 1
        why = _left_out(entry)
        prompt = routed_text(entry.get("prompt"))
        if why is None and prompt is None:
            why = "no prompt stored (the ledger keeps them when told to)"
        if why is not None:
            out.drop(why)
            continue
        request_id = str(entry["request_id"])
        common: dict[str, object] = {
            "source": "ledger",
            "dataset": _first_tag(entry),
            "prompt_id": request_id,
            "prompt": prompt,
        }
        row: dict[str, object] = {**common, **_answer_row(entry)}
        compared = _compared(entry)
        said = _feedback(entry)
        if compared is not None:
            strong: dict[str, object] = {
                **common,
                "model": str(compared["strong_model"]),
                "score": STRONG_SCORE,
                "labelled_by": "shadow",
            }
            strong["response"], strong["cost_usd"] = compared.get("strong_answer"), number(compared["strong_cost_usd"])
            row["score"], row["labelled_by"] = number(compared["score"]), "shadow"
            share = number(compared.get("propensity"))
            shares += [(each, 1.0 if share is None or share <= 0 else share) for each in (row, strong)]
            out.add(**row)
            out.add(**strong)
        else:
            if said is not None:
                row["score"], row["labelled_by"], row["weight"] = said, "feedback", 1.0
            out.add(**row)
            served[request_id] = out.kept[-1]
            cheaper = _cheaper(entry)
            if cheaper is not None:
                # What a person holds to be true, without an answer or a cost.
                out.add(**common, model=cheaper, score=1.0, labelled_by="feedback", weight=1.0)
        dissatisfied = again.look(entry)
        first = None if dissatisfied is None else served.get(dissatisfied[0])
        if dissatisfied is not None and first is not None and first.get("score") is None:
            first.update(score=0.0, labelled_by=dissatisfied[1], weight=ASKED_AGAIN_WEIGHT)
    # A smaller share stands for more requests each. Where it never changed, every comparison weighs 1.
    largest = max((share for _, share in shares), default=1.0)
    by_prompt = {(row["prompt_id"], row["model"]): largest / share for row, share in shares}
    for kept in out.kept:
        if kept.get("labelled_by") == "shadow" and "weight" not in kept:
            kept["weight"] = by_prompt[kept["prompt_id"], kept["model"]]
    return out


def _answer_row(entry: Mapping[str, object]) -> dict[str, object]:
    usage = entry.get("usage")
    tokens = usage if isinstance(usage, Mapping) else {}
    return {
        "model": str(entry["model"]),
        "response": _answer(entry.get("answer")),
        "prompt_tokens": whole(tokens.get("input_tokens")),
        "completion_tokens": whole(tokens.get("output_tokens")),
        "cost_usd": number(entry.get("cost_usd")),
        "latency_ms": number(entry.get("total_ms")),
    }


def _left_out(entry: Mapping[str, object]) -> str | None:
    if entry.get("status") != "ok":
        return "the request did not end well"
    if entry.get("simulated"):
        return "simulated"
    return None if entry.get("model") else "no model"


def _first_tag(entry: Mapping[str, object]) -> str:
    tags = entry.get("tags")
    return str(tags[0]) if isinstance(tags, list | tuple) and tags else ""


def _compared(entry: Mapping[str, object]) -> Mapping[str, object] | None:
    """The comparison with the strong tier, where it came to a verdict."""
    shadow = parsed(entry.get("shadow"))
    if not isinstance(shadow, Mapping) or number(shadow.get("score")) is None:
        return None
    return shadow if shadow.get("strong_model") and shadow.get("strong_model") != entry.get("model") else None


def _feedback(entry: Mapping[str, object]) -> float | None:
    """The last score that was given, in numbers or in words; None when there is none."""
    said = entry.get("feedback")
    if not isinstance(said, list | tuple):
        return None
    scores = [_said(each) for each in said if isinstance(each, Mapping)]
    known = [score for score in scores if score is not None and 0 <= score <= 1]
    return known[-1] if known else None


def _said(feedback: Mapping[str, object]) -> float | None:
    score, label = number(feedback.get("score")), feedback.get("label")
    if score is None and isinstance(label, str):
        return _WORDS.get(label.strip().casefold())
    return score


def _cheaper(entry: Mapping[str, object]) -> str | None:
    """The model of the next cheaper tier, where the last word of a person is that it would have done; else None."""
    said, decision = entry.get("feedback"), entry.get("decision")
    spoken = [each for each in said if isinstance(each, Mapping)] if isinstance(said, list | tuple) else []
    scored = [each for each in spoken if _said(each) is not None]
    if not scored or scored[-1].get("label") != FeedbackLabel.TOO_STRONG or not isinstance(decision, Mapping):
        return None
    first: dict[str, str] = {}
    for each in decision.get("alternatives") or ():
        if isinstance(each, Mapping) and each.get("tier") and each.get("model"):
            first.setdefault(str(each["tier"]), str(each["model"]))
    tiers, served = list(first), str(entry.get("tier"))
    return first[tiers[tiers.index(served) - 1]] if served in tiers[1:] else None


def _answer(answer: object) -> str | None:
    if answer is None:
        return None
    text = answer_text(answer)
    if text is not None:
        return text
    return answer if isinstance(answer, str) else None
