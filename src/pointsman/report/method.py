"""How the numbers were made, in plain words with sources. Definitions as in docs/evaluation.md."""

from __future__ import annotations

from dataclasses import dataclass

from .reading import Evidence


@dataclass(frozen=True, slots=True)
class Term:
    """One term, what it means here, and where it is from."""

    name: str
    text: str
    source: str = ""


def method(evidence: Evidence) -> tuple[Term, ...]:
    """The terms that this report uses."""
    resamples = "" if evidence.n_resamples is None else f" {evidence.n_resamples:,} times"
    chosen = (
        " Its operating point is chosen on other prompts than those it is measured on (five folds), so the numbers are "
        "not flattered by that choice."
        if any(line.operating_point not in (None, "given") for line in evidence.policies)
        else ""
    )
    terms = [
        Term(
            "Data",
            "Every model answered the same prompts and every answer was scored from 0 to 1. A prompt that lacks the"
            " score of some model is left out and counted; prompts that are the same once normalised count as one "
            "when drawn.",
        ),
        Term(
            "Policy",
            "It decides for each prompt which model answers." + chosen,
        ),
        Term(
            "Quality",
            "The mean score of the answers served. “Against strong” is the paired difference from sending "
            "everything to the strong model, in points of 100.",
        ),
        Term(
            "Saved",
            "The share of always-strong's cost that is not spent. Calls thrown away, the router and the judge are "
            "paid for out of it.",
        ),
        Term(
            "Intervals",
            f"95 % bootstrap intervals: prompts are drawn again{resamples}, within each data set, the same draws for"
            " everything compared. The interval of a difference can therefore be far narrower than two intervals "
            "side by side suggest.",
            "Efron and Tibshirani, An Introduction to the Bootstrap, 1993",
        ),
        Term(
            "Controls",
            "Always one model; a random mix of the models at the same cost; the policy's own decisions shuffled "
            "over the prompts (its shares without its knowledge), also within each task; a router that knows the "
            "task and nothing else; and an oracle that knows the scores. A policy that does not beat random and its"
            " own shuffle has learned nothing.",
        ),
        Term(
            "Verdict",
            "Routing helps only when a policy beats both random at the same cost and its own shuffle with confidence, "
            "counted over all comparisons made, and saves something.",
            "Holm, Scandinavian Journal of Statistics 6, 1979",
        ),
    ]
    if any(line.apgr is not None for line in (*evidence.policies, *evidence.controls)):
        terms.append(
            Term(
                "APGR",
                "Average performance gap recovered: how much of the quality between the cheap and the strong model the "
                "policy wins back, averaged over all shares of strong calls. Random routing has 0.5.",
                "RouteLLM, arXiv 2406.18665, section 2",
            )
        )
    if evidence.calibration:
        terms.append(
            Term(
                "Calibration",
                "Prompts in 15 bins of equal size by predicted P(good enough); the error is the mean distance between "
                "prediction and score. Bars are Wilson intervals.",
                "Guo et al., arXiv 1706.04599; Nixon et al., arXiv 1904.01685; Wilson, JASA 22, 1927",
            )
        )
    if evidence.agreement is not None:
        terms.append(
            Term(
                "Ideal model",
                "The cheapest model whose answer is good enough; where none is, the cheapest, since paying more "
                "would not have helped. Part of “only the strong one is right” is label noise, so perfect agreement"
                " is out of reach.",
            )
        )
    return tuple(terms)
