"""The report's sentences: the headline, what the figures show, what it means for 1,000 requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import numbers
from .contents import Moved
from .numbers import Interval, percent, points, points_range
from .reading import Diagram, Evidence, Line


@dataclass(frozen=True, slots=True)
class Headline:
    """One number at the top of the report."""

    label: str
    value: str
    interval: str
    """The 95 % interval in words; empty when there is none."""
    note: str


def verdict_sentence(evidence: Evidence) -> str:
    """The verdict for someone who reads one line."""
    verdict, chosen = evidence.verdict, evidence.chosen
    strong, cheap = evidence.strongest, evidence.cheapest
    if verdict.routing_helps is None:
        return "No verdict: the evaluation does not hold one."
    if verdict.routing_helps:
        saved = "Routing helps."
        if chosen is not None and chosen.savings is not None:
            saved = f"Routing saves {percent(chosen.savings)} of the cost of {strong}"
        elif chosen is not None and chosen.strong_share is not None:
            saved = f"Routing avoids {percent(1 - chosen.strong_share)} of the calls to {strong}"
        else:
            return saved
        return f"{saved}, {_quality_clause(chosen)}."
    if verdict.policy == f"always:{cheap}" and cheap != strong:
        gain = "" if not verdict.saves else f" It costs {percent(verdict.saves)} less than {strong}."
        return f"Routing is not needed: use {cheap} for everything.{gain}"
    if verdict.policy is not None and verdict.policy.startswith("always:"):
        return f"Routing does not help here: use {verdict.policy.removeprefix('always:')} for everything."
    return "Routing does not help here."


def _quality_clause(line: Line) -> str:
    interval, delta = line.quality_delta_ci, line.quality_delta
    if interval is not None and interval[0] >= 0 and delta is not None and delta > 0 and points(interval[0]) != "0.0":
        return f"and answers are better by {points(delta).removeprefix('+')} points"
    if interval is None or delta is None:
        return "at a quality that could not be compared"
    if interval[0] <= 0 <= interval[1]:
        worst = points(interval[0]).removeprefix(numbers.MINUS)
        if round(interval[0], 3) == 0:
            return "with no loss of quality"
        return f"with no measurable loss of quality (at most {worst} points)"
    return f"for {points(abs(delta)).removeprefix('+')} points less quality"


def subject(evidence: Evidence) -> Line | None:
    """The line the headline figures speak of: the verdict's, or what was tried when that is the strong model."""
    chosen, strong = evidence.chosen, evidence.strong
    if chosen is not None and (strong is None or chosen.name != strong.name):
        return chosen
    return evidence.policies[0] if evidence.policies else evidence.cheap


def headlines(evidence: Evidence) -> tuple[Headline, ...]:
    """The figures to remember, each with its interval; empty when nothing was measured beside the strong model."""
    line = subject(evidence)
    if line is None:
        return ()
    reference = evidence.strongest or "the strong model"
    return (_saved(evidence, line, reference), _quality(evidence, line, reference), _per_thousand(evidence, line))


def _saved(evidence: Evidence, line: Line, reference: str) -> Headline:
    if line.savings is not None:
        return Headline(
            "Saved" if line.savings >= 0 else "Dearer",
            percent(abs(line.savings)),
            _interval(
                numbers.percent_range(line.savings_ci)
                if line.savings >= 0
                else numbers.percent_range(_negated(line.savings_ci))
            ),
            f"of what {reference} alone costs, router and judge included",
        )
    avoided = None if line.strong_share is None else 1 - line.strong_share
    return Headline(
        "Strong calls avoided", percent(avoided), "", f"requests that {reference} need not serve; no prices given"
    )


def _negated(interval: Interval | None) -> Interval | None:
    return None if interval is None else (-interval[1], -interval[0])


def _quality(evidence: Evidence, line: Line, reference: str) -> Headline:
    strong = evidence.strong
    note = (
        f"{percent(line.quality, 1)} against {percent(None if strong is None else strong.quality, 1)} for {reference}"
    )
    return Headline(
        "Quality",
        f"{points(line.quality_delta)}{numbers.NBSP}points" if line.quality_delta is not None else numbers.UNKNOWN,
        _interval(points_range(line.quality_delta_ci)),
        note,
    )


def _per_thousand(evidence: Evidence, line: Line) -> Headline:
    strong = evidence.strong
    label = "Per 1,000 requests"
    if line.cost_usd is not None and strong is not None and strong.cost_usd is not None:
        saved = 1000 * (strong.cost_usd - line.cost_usd)
        worth = f"{numbers.usd(1000 * line.cost_usd)} instead of {numbers.usd(1000 * strong.cost_usd)}"
        value = f"{numbers.usd(abs(saved))} {'saved' if saved >= 0 else 'more'}"
        return Headline(label, value, "", f"{worth}; {answers_per_thousand(line)}")
    if line.quality_delta is None:
        return Headline(label, numbers.UNKNOWN, "", "costs and quality are not known")
    return Headline(
        label, _fewer(1000 * line.quality_delta), _between(line.quality_delta_ci), "good answers; dollars need prices"
    )


def answers_per_thousand(line: Line) -> str:
    """A quality difference as good answers in 1,000, such as "11 fewer good answers (4 to 17 fewer)"."""
    if line.quality_delta is None:
        return "quality is not known"
    interval = "" if line.quality_delta_ci is None else f" ({_between(line.quality_delta_ci)})"
    return f"{_fewer(1000 * line.quality_delta)} good answers{interval}"


def _fewer(difference: float) -> str:
    whole = round(abs(difference))
    if whole == 0:
        return "as many"
    return f"{whole:,} {'fewer' if difference < 0 else 'more'}"


def _between(interval: Interval | None) -> str:
    if interval is None:
        return ""
    low, high = (1000 * bound for bound in interval)
    if round(high) <= 0 and round(low) < 0:
        return f"{round(-high):,} to {round(-low):,} fewer" if round(high) != round(low) else f"{round(-low):,} fewer"
    if round(low) >= 0:
        return f"{round(low):,} to {round(high):,} more" if round(high) != round(low) else f"{round(high):,} more"
    return f"{round(-low):,} fewer to {round(high):,} more"


def _interval(text: str) -> str:
    return "" if text == numbers.UNKNOWN else f"95{numbers.NBSP}% interval {text}"


def alt_cost_quality(evidence: Evidence) -> str:
    """What the cost-quality figure shows, in words."""
    parts = [_placed(evidence, line, line.label) for line in evidence.policies]
    parts += [
        _placed(evidence, line, line.name.replace(":", " "))
        for line in evidence.controls
        if line.p_value is None or line.name == "shuffled"
    ]
    axis = "cost per 1,000 requests" if evidence.priced else "share of strong calls"
    return f"Quality over {axis}. " + "; ".join(parts) + "."


def _placed(evidence: Evidence, line: Line, name: str) -> str:
    if evidence.priced:
        cost = "cost not known" if line.cost_usd is None else numbers.usd(1000 * line.cost_usd)
    else:
        cost = percent(line.strong_share)
    return f"{name}: {percent(line.quality, 1)} at {cost}"


def alt_tasks(evidence: Evidence) -> str:
    """What the figure by task shows, in words."""
    parts = [
        f"{task.name}: cheap {percent(task.cheap_quality)}, policy {percent(task.quality)}, "
        f"strong {percent(task.strong_quality)}"
        for task in evidence.tasks[:24]
    ]
    return "Quality by task. " + "; ".join(parts) + "."


def alt_calibration(diagram: Diagram) -> str:
    """What a calibration figure shows, in words."""
    parts = [f"{percent(each.p, 0)} predicted, {percent(each.score, 0)} observed" for each in diagram.bins]
    error = (
        ""
        if diagram.ece is None
        else f" Mean distance from the diagonal {points(diagram.ece).removeprefix('+')} points."
    )
    return f"Predicted against observed quality of {diagram.model}. " + "; ".join(parts) + f".{error}"


def alt_moved(moved: Sequence[Moved]) -> str:
    """What the figure of traits shows, in words."""
    parts = [
        f"{each.text} {numbers.score(each.effect, 2)} to the {'cheap' if each.effect >= 0 else 'strong'} model"
        for each in moved
    ]
    return "Mean effect of traits on decisions. " + "; ".join(parts) + "."
