"""What stands in a report, decided once: both writers, HTML and Markdown, only set it."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from . import numbers, prose, tables
from .cautions import cautions
from .contents import Misroute, Moved, Provenance
from .figures import Figure
from .method import Term, method
from .numbers import percent, points
from .plain_text import excerpt, one_line
from .prose import Headline
from .reading import Evidence, target_words
from .tables import Table

MISROUTES_MAX: Final = 12
MOVED_MAX: Final = 14


@dataclass(frozen=True, slots=True)
class ShownMisroute:
    """One misroute in words."""

    dataset: str
    prompt_id: str
    words: str
    prompt: str
    """Empty when prompts are left out."""
    scores: str


@dataclass(frozen=True, slots=True)
class Page:
    """Everything a report says."""

    title: str
    date_words: str
    models: tuple[str, ...]
    """The models' names, which stand in its sentences."""
    verdict: str
    reason: str
    recommended: bool
    """False when the headline figures are of something the verdict advises against."""
    headline_of: str
    headlines: tuple[Headline, ...]
    cautions: tuple[str, ...]
    curve_title: str
    curve_caption: str
    lines: Table
    savings_at: Table | None
    tasks: Table | None
    tasks_caption: str
    tasks_note: str
    calibration: tuple[tuple[str, str], ...]
    """(figure, caption)"""
    agreement_words: str
    confusion: Table | None
    moved: tuple[Moved, ...]
    misroutes_words: str
    misroutes: tuple[ShownMisroute, ...]
    method: tuple[Term, ...]
    facts: tuple[tuple[str, str], ...]
    figures: tuple[Figure, ...]

    def figure(self, name: str) -> Figure | None:
        """The figure of this name; None when there were no numbers for it."""
        return next((each for each in self.figures if each.name == name), None)


def shown_moved(moved: Sequence[Moved]) -> tuple[Moved, ...]:
    """The strongest traits, strongest first; those whose effect is not a number are left out."""
    known = [
        Moved(one_line(each.text, 80), each.effect, each.share)
        for each in moved
        if numbers.finite(each.effect) is not None
    ]
    return tuple(sorted(known, key=lambda each: (-abs(each.effect), each.text))[:MOVED_MAX])


def page(
    evidence: Evidence,
    figures: tuple[Figure, ...],
    *,
    title: str,
    date: datetime.date,
    misroutes: Sequence[Misroute],
    moved: tuple[Moved, ...],
    provenance: Provenance,
) -> Page:
    """The page of one evaluation."""
    agreement = evidence.agreement
    return Page(
        title=one_line(title, 120),
        date_words=f"{date.day} {date:%B %Y}",
        models=evidence.models,
        verdict=prose.verdict_sentence(evidence),
        reason=(evidence.verdict.reason or "").replace(" %", f"{numbers.NBSP}%"),
        recommended=_recommended(evidence),
        headline_of=_headline_of(evidence),
        headlines=prose.headlines(evidence),
        cautions=cautions(evidence, provenance),
        curve_title="What each dollar buys" if evidence.priced else "What each strong call buys",
        curve_caption=_curve_caption(evidence),
        lines=tables.lines(evidence),
        savings_at=tables.savings_at(evidence),
        tasks=tables.tasks(evidence),
        tasks_caption="" if len(evidence.tasks) < 2 else _tasks_caption(evidence),
        tasks_note=_tasks_note(evidence),
        calibration=_calibration(evidence, figures),
        agreement_words=_agreement_words(evidence),
        confusion=None if agreement is None else tables.confusion(agreement),
        moved=moved,
        misroutes_words=(
            "Prompts on which a cheaper or better answer was there to be had, the dearest mistakes first. "
            "Read them: a part is label noise, and the rest tells which rule or which labels are missing."
        ),
        misroutes=tuple(_misroute(each) for each in _worst(misroutes)),
        method=method(evidence),
        facts=_facts(evidence, provenance, date),
        figures=figures,
    )


def _recommended(evidence: Evidence) -> bool:
    line, chosen = prose.subject(evidence), evidence.chosen
    return line is None or (chosen is not None and chosen.name == line.name)


def _headline_of(evidence: Evidence) -> str:
    line = prose.subject(evidence)
    if line is None or _recommended(evidence):
        return ""
    return f"Not advised: what {tables.control_words(line.label)} would have given."


def _curve_caption(evidence: Evidence) -> str:
    first = evidence.policies[0].name if evidence.policies else "the task mean"
    text = (
        f"Blue: {first} at every threshold; the filled dot is where it would run, hollow dots are its other operating "
        "points. Dashed: a random mix of the models. "
    )
    if not evidence.policies:
        text = "Blue: a router that knows the task and nothing else. Dashed: a random mix of the models. "
    return text + (
        "Up and to the left is better. Bars are 95 % intervals of each point by itself; differences are paired and "
        "known more closely, see the table."
    )


def _tasks_caption(evidence: Evidence) -> str:
    left_out = len(evidence.tasks) - 24
    return (
        f"The {len(evidence.tasks) - left_out} tasks with the most prompts; the table has all." if left_out > 0 else ""
    )


def _tasks_note(evidence: Evidence) -> str:
    if not evidence.policies or not any(task.quality is not None for task in evidence.tasks):
        return ""
    first = evidence.policies[0]
    point = "" if first.operating_point in (None, "given") else f" at {target_words(first.operating_point)}"
    return (
        f"Policy: {first.name}{point}. A difference in colour is one whose 95 % interval leaves out zero; "
        "with many tasks, one in twenty does so by chance."
    )


def _calibration(evidence: Evidence, figures: tuple[Figure, ...]) -> tuple[tuple[str, str], ...]:
    drawn = [each for each in figures if each.name.startswith("calibration")]
    out = []
    for figure, diagram in zip(drawn, evidence.calibration, strict=False):
        error = "" if diagram.ece is None else f" Off by {points(diagram.ece).removeprefix('+')} points on average."
        auc = "" if diagram.auc is None else f" AUC {numbers.score(diagram.auc, 2)}: how well it ranks; 0.5 is chance."
        sizes = {each.n for each in diagram.bins}
        each_dot = f"{min(sizes):,}" if len(sizes) == 1 else f"{min(sizes):,} to {max(sizes):,}"
        out.append(
            (
                figure.name,
                f"{diagram.model}: on the dashed line, predictions hold. A dot is {each_dot} prompts.{error}{auc}",
            )
        )
    return tuple(out)


def _agreement_words(evidence: Evidence) -> str:
    agreement = evidence.agreement
    if agreement is None or agreement.accuracy is None:
        return ""
    return (
        f"{percent(agreement.accuracy)} of the decisions chose the ideal model: the cheapest whose answer was good "
        "enough, or the cheapest when none was. Caution in favour of quality costs agreement here."
    )


def _worst(misroutes: Sequence[Misroute]) -> list[Misroute]:
    """Lost quality first, then wasted money; within both, where the router was surest."""

    def weight(each: Misroute) -> tuple[float, float, float, str, str]:
        sure = 0.0 if each.p_good is None else abs(each.p_good - 0.5)
        wasted = each.wasted_usd
        return (-each.lost, -(0.0 if wasted is None else wasted), -sure, each.dataset, each.prompt_id)

    return sorted((each for each in misroutes if each.served != each.ideal), key=weight)[:MISROUTES_MAX]


def _misroute(each: Misroute) -> ShownMisroute:
    served, ideal = one_line(each.served), one_line(each.ideal)
    words = f"Went to {served}; {ideal} was right for it"
    if each.lost > 0:
        words += f", scoring {_score(each, each.ideal)} against {_score(each, each.served)}."
    elif each.wasted_usd is not None:
        words += f": as good for {numbers.usd(each.wasted_usd)} less."
    else:
        words += ": as good and cheaper."
    if each.p_good is not None:
        words += f" The router gave the cheaper model a chance of {percent(each.p_good, 0)}."
    scores = ", ".join(f"{one_line(model)} {_score(each, model)}" for model in each.scores)
    return ShownMisroute(
        dataset=one_line(each.dataset),
        prompt_id=one_line(each.prompt_id, 40),
        words=words,
        prompt="" if each.prompt is None else excerpt(each.prompt),
        scores=f"Scores: {scores}." if scores else "",
    )


def _score(each: Misroute, model: str) -> str:
    return numbers.score(numbers.finite(each.scores.get(model)), 2)


def _facts(evidence: Evidence, provenance: Provenance, date: datetime.date) -> tuple[tuple[str, str], ...]:
    seeds = {} if evidence.seed is None else {"evaluation": evidence.seed}
    seeds |= dict(provenance.seeds)
    found = [
        ("Date", date.isoformat()),
        ("Prompts", _prompts(evidence)),
        ("Models", ", ".join(evidence.models)),
        ("Data", "" if evidence.data_hash is None else f"SHA-256 {evidence.data_hash}"),
        ("Sources", "; ".join(one_line(each, 200) for each in provenance.sources)),
        ("Router", one_line(provenance.router or "", 200)),
        ("Code", "" if provenance.code_hash is None else f"SHA-256 {one_line(provenance.code_hash, 80)}"),
        ("Seeds", ", ".join(f"{one_line(name)} {seed}" for name, seed in seeds.items())),
        ("Versions", ", ".join(f"{one_line(name)} {one_line(each)}" for name, each in provenance.versions.items())),
        ("Command", one_line(provenance.command or "", 400)),
    ]
    return tuple((name, value) for name, value in found if value)


def _prompts(evidence: Evidence) -> str:
    if evidence.n is None:
        return ""
    text = f"{evidence.n:,} measured"
    if evidence.n_groups is not None and evidence.n_groups != evidence.n:
        text += f", {evidence.n_groups:,} different"
    if evidence.n_left_out:
        text += f", {evidence.n_left_out:,} left out"
    return text
