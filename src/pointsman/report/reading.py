"""An evaluation's JSON as typed evidence: what is missing or not a number is None, what cannot be used is left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pointsman.errors import DataError

from .numbers import Interval, finite
from .plain_text import one_line


@dataclass(frozen=True, slots=True)
class Line:
    """One policy or control at one operating point."""

    name: str
    kind: str
    operating_point: str | None
    """What the point was chosen for, such as "0.98"; None when there is one point only."""
    quality: float | None
    quality_ci: Interval | None
    cost_usd: float | None
    """USD per request, router and judge included."""
    savings: float | None
    savings_ci: Interval | None
    strong_share: float | None
    apgr: float | None
    apgr_ci: Interval | None
    quality_delta: float | None
    quality_delta_ci: Interval | None
    savings_at: Mapping[str, float | None]
    cpt: Mapping[str, float | None]
    points: tuple[Line, ...] = ()
    """The same policy at each of its operating points, this one included."""
    p_value: float | None = None
    """Chance that a shuffle of the decisions does at least as well; controls only."""
    router_usd: float | None = None
    """USD per request for the router itself, within `cost_usd`."""
    judge_usd: float | None = None

    @property
    def label(self) -> str:
        """The name, with the operating point where there is one."""
        if self.operating_point is None or self.operating_point == "given":
            return self.name
        return f"{self.name} ({target_words(self.operating_point)})"


@dataclass(frozen=True, slots=True)
class Task:
    """One data set within the evaluation: its models, and the first policy at its first operating point."""

    name: str
    n: int | None
    cheap_quality: float | None
    strong_quality: float | None
    quality: float | None
    """Of the policy; None when none was measured."""
    quality_delta: float | None
    """Against the strong model."""
    quality_delta_ci: Interval | None
    savings: float | None
    strong_share: float | None


@dataclass(frozen=True, slots=True)
class Bin:
    """One bin of a calibration diagram."""

    p: float
    """Mean predicted probability."""
    score: float
    """Mean score."""
    n: int


@dataclass(frozen=True, slots=True)
class Diagram:
    """How well the probabilities of one model's answers agree with its scores."""

    model: str
    ece: float | None
    auc: float | None
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class TierAgreement:
    """How often one model was chosen where it was ideal."""

    model: str
    precision: float | None
    recall: float | None
    n_ideal: int | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Decisions against ideal models."""

    accuracy: float | None
    per_model: tuple[TierAgreement, ...]
    confusion: tuple[tuple[int, ...], ...] | None
    """Prompts by ideal model (rows) and chosen model (columns), in the order of `per_model`."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the evaluation concluded."""

    routing_helps: bool | None
    policy: str | None
    saves: float | None
    quality_delta_ci: Interval | None
    reason: str | None
    operating_point: str | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """All of an evaluation that the report shows."""

    n: int | None
    n_groups: int | None
    n_left_out: int | None
    n_resamples: int | None
    models: tuple[str, ...]
    data_hash: str | None
    seed: int | None
    priced: bool
    policies: tuple[Line, ...]
    controls: tuple[Line, ...]
    curve: tuple[tuple[float, float], ...]
    """(USD per request, or share of strong calls without prices; quality), by rising first number."""
    verdict: Verdict
    tasks: tuple[Task, ...]
    calibration: tuple[Diagram, ...]
    agreement: Agreement | None
    warnings: tuple[str, ...]

    @property
    def cheapest(self) -> str | None:
        """The cheapest model's name."""
        return self.models[0] if self.models else None

    @property
    def strongest(self) -> str | None:
        """The quality reference's name."""
        return self.models[-1] if self.models else None

    @property
    def chosen(self) -> Line | None:
        """The line the verdict speaks of; without one, the first policy."""
        wanted, point = self.verdict.policy, self.verdict.operating_point
        for line in (*self.policies, *self.controls):
            if line.name == wanted:
                return next((each for each in line.points if each.operating_point == point), line)
        if wanted is not None and wanted.startswith("always:"):
            return self.always(wanted.removeprefix("always:"))
        return self.policies[0] if self.policies else None

    @property
    def strong(self) -> Line | None:
        """Always the strong model: what quality and savings are measured against."""
        return None if self.strongest is None else self.always(self.strongest)

    @property
    def cheap(self) -> Line | None:
        """Always the cheapest model."""
        return None if self.cheapest is None else self.always(self.cheapest)

    def with_calibration(self, calibration: tuple[Diagram, ...]) -> Evidence:
        """The same with other calibration diagrams."""
        return replace(self, calibration=calibration)

    def always(self, model: str) -> Line | None:
        """The control that sends everything to one model."""
        names = {f"always:{model}", f"always {model}"}
        if model == self.strongest:
            names |= {"always-strong", "always strong"}
        if model == self.cheapest:
            names |= {"always-cheap", "always cheap"}
        return next((line for line in self.controls if line.name in names), None)


def target_words(point: str) -> str:
    """An operating point in words: "0.98" as "98 % of strong"."""
    if point == "parity":
        return "parity"
    try:
        share = float(point)
    except ValueError:
        return point
    return f"{100 * share:g} % of strong"


def read(evaluation: Mapping[str, Any]) -> Evidence:
    """The evidence in an evaluation's JSON.

    Raises:
        DataError: it is not the JSON of an evaluation: no `models`, or neither policies nor controls.
    """
    if not isinstance(evaluation, Mapping):
        raise DataError("expected the JSON object that pointsman evaluate --json writes")
    models = tuple(one_line(str(each)) for each in _list(evaluation.get("models")))
    policies = tuple(_line(each) for each in _maps(evaluation.get("policies")))
    controls = tuple(_line(each) for each in _maps(evaluation.get("controls")))
    if not models or not (policies or controls):
        raise DataError(
            "this is not an evaluation: expected the fields models, policies and controls, "
            "as pointsman evaluate --json writes them"
        )
    axis = evaluation.get("curve_axis")
    priced = axis == "cost_usd" if isinstance(axis, str) else any(_has_cost(each) for each in (*policies, *controls))
    curve = sorted(point for point in (_pair(each) for each in _list(evaluation.get("curve"))) if point is not None)
    return Evidence(
        n=_whole(evaluation.get("n")),
        n_groups=_whole(evaluation.get("n_groups")),
        n_left_out=_whole(evaluation.get("n_left_out")),
        n_resamples=_whole(evaluation.get("n_resamples")),
        models=models,
        data_hash=_text(evaluation.get("data_hash"), 128),
        seed=_whole(evaluation.get("seed")),
        priced=priced,
        policies=policies,
        controls=controls,
        curve=tuple(curve),
        verdict=_verdict(_map(evaluation.get("verdict"))),
        tasks=tuple(_task(each, models) for each in _maps(evaluation.get("per_dataset"))),
        calibration=diagrams(evaluation.get("calibration")),
        agreement=_agreement(_map(evaluation.get("agreement"))),
        warnings=tuple(text for each in _list(evaluation.get("warnings")) if (text := _text(each, 400)) is not None),
    )


def _line(raw: Mapping[str, Any]) -> Line:
    line = _one_line_of(raw)
    parts = _map(raw.get("cost_parts"))
    points = tuple(
        replace(_one_line_of({**point, "name": raw.get("name"), "kind": raw.get("kind")}), apgr=line.apgr)
        for point in _maps(raw.get("operating_points"))
    )
    return replace(
        line,
        points=points,
        p_value=finite(raw.get("p_value")),
        router_usd=finite(parts.get("router_usd")),
        judge_usd=finite(parts.get("judge_usd")),
    )


def _one_line_of(raw: Mapping[str, Any]) -> Line:
    return Line(
        name=_text(raw.get("name"), 60) or "unnamed",
        kind=_text(raw.get("kind"), 60) or "",
        operating_point=_text(raw.get("operating_point", raw.get("level")), 40),
        quality=finite(raw.get("quality")),
        quality_ci=_pair(raw.get("quality_ci")),
        cost_usd=finite(raw.get("cost_usd")),
        savings=finite(raw.get("savings")),
        savings_ci=_pair(raw.get("savings_ci")),
        strong_share=finite(raw.get("strong_share")),
        apgr=finite(raw.get("apgr")),
        apgr_ci=_pair(raw.get("apgr_ci")),
        quality_delta=finite(raw.get("quality_delta")),
        quality_delta_ci=_pair(raw.get("quality_delta_ci")),
        savings_at={str(key): finite(each) for key, each in _map(raw.get("savings_at")).items()},
        cpt={str(key): finite(each) for key, each in _map(raw.get("cpt")).items()},
    )


def _task(raw: Mapping[str, Any], models: Sequence[str]) -> Task:
    by_model = {one_line(str(name)): _map(each) for name, each in _map(raw.get("models")).items()}
    policy = _map(raw.get("policy"))
    return Task(
        name=_text(raw.get("dataset"), 60) or "unnamed",
        n=_whole(raw.get("n")),
        cheap_quality=finite(by_model.get(models[0], {}).get("quality")),
        strong_quality=finite(by_model.get(models[-1], {}).get("quality")),
        quality=finite(policy.get("quality")),
        quality_delta=finite(policy.get("quality_delta")),
        quality_delta_ci=_pair(policy.get("quality_delta_ci")),
        savings=finite(policy.get("savings")),
        strong_share=finite(policy.get("strong_share")),
    )


def diagrams(raw: object) -> tuple[Diagram, ...]:
    """The calibration diagrams that have a bin."""
    return tuple(found for each in _maps(raw) if (found := _diagram(each)).bins)


def _diagram(raw: Mapping[str, Any]) -> Diagram:
    bins = []
    for each in _maps(raw.get("diagram")):
        p, score, n = finite(each.get("p")), finite(each.get("score")), _whole(each.get("n"))
        if p is not None and score is not None and n is not None and n > 0:
            bins.append(Bin(p, score, n))
    return Diagram(
        model=_text(raw.get("model"), 60) or "",
        ece=finite(raw.get("ece_equal_mass")),
        auc=finite(raw.get("auc")),
        bins=tuple(sorted(bins, key=lambda each: each.p)),
    )


def _agreement(raw: Mapping[str, Any]) -> Agreement | None:
    rows = tuple(
        TierAgreement(
            _text(each.get("model"), 60) or "unnamed",
            finite(each.get("precision")),
            finite(each.get("recall")),
            _whole(each.get("n_ideal")),
        )
        for each in _maps(raw.get("per_model"))
    )
    if not rows:
        return None
    return Agreement(finite(raw.get("accuracy")), rows, _confusion(raw.get("confusion"), rows))


def _confusion(raw: object, rows: tuple[TierAgreement, ...]) -> tuple[tuple[int, ...], ...] | None:
    """The matrix as given, or derived: with two models, recall and the counts leave nothing open."""
    given = [[_whole(cell) for cell in _list(row)] for row in _list(raw)]
    m = len(rows)
    if len(given) == m and all(len(row) == m for row in given):
        matrix = tuple(tuple(cell for cell in row if cell is not None) for row in given)
        if all(len(row) == m for row in matrix):
            return matrix
    if m != 2:
        return None
    out = []
    for place, row in enumerate(rows):
        if row.n_ideal is None or (row.recall is None and row.n_ideal > 0):
            return None
        right = round((row.recall or 0.0) * row.n_ideal)
        wrong = row.n_ideal - right
        out.append((right, wrong) if place == 0 else (wrong, right))
    return tuple(out)


def _verdict(raw: Mapping[str, Any]) -> Verdict:
    helps = raw.get("routing_helps")
    return Verdict(
        routing_helps=helps if isinstance(helps, bool) else None,
        policy=_text(raw.get("policy"), 60),
        saves=finite(raw.get("saves")),
        quality_delta_ci=_pair(raw.get("quality_delta_ci")),
        reason=_text(raw.get("reason"), 600),
        operating_point=_text(raw.get("operating_point"), 40),
    )


def _has_cost(line: Line) -> bool:
    return line.cost_usd is not None


def _map(raw: object) -> Mapping[str, Any]:
    return raw if isinstance(raw, Mapping) else {}


def _list(raw: object) -> Sequence[object]:
    return raw if isinstance(raw, Sequence) and not isinstance(raw, (str, bytes)) else ()


def _maps(raw: object) -> Iterable[Mapping[str, Any]]:
    return (each for each in _list(raw) if isinstance(each, Mapping))


def _text(raw: object, max_chars: int) -> str | None:
    if not isinstance(raw, str):
        return None
    return one_line(raw, max_chars) or None


def _whole(raw: object) -> int | None:
    value = finite(raw)
    return None if value is None or value < 0 else round(value)


def _pair(raw: object) -> Interval | None:
    parts = [finite(each) for each in _list(raw)]
    if len(parts) != 2 or parts[0] is None or parts[1] is None:
        return None
    return parts[0], parts[1]
