"""The policy file of a cascade: the plan that serves, the promise it keeps, and what it was tuned on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pointsman.learned import Plan

from .cascade import CASCADE_METHOD, CascadeChoice
from .policy_file import Count, Expected, Promise, RouterName, Sample, Share, misfit, read_json, write_json
from .tune import TuneSettings

CASCADE_FORMAT: Final = 1
CASCADE_KINDS: Final = ("cascade", "cascade_routing")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class CascadePoint(_Part):
    """One rate of exchange that stood to test, strictest first."""

    kind: str
    rate: Annotated[float, Field(ge=0)]
    """Score that a call of the reference model must be worth."""
    strong_share: Share
    quality: Share
    quality_loss: float
    savings: float | None
    p_value: Share | None
    """None when the search had ended before."""
    certified: bool


class TunedCascade(_Part):
    """The whole file."""

    format: Literal[1]
    kind: Literal["cascade", "cascade_routing", "fixed"]
    answer: Literal["cascade", "strong"]
    reason: str
    models: tuple[str, ...]
    """From cheap to strong; the last is the quality reference."""
    use: str | None
    """The model of a fixed policy."""
    rate: Annotated[float, Field(ge=0)] | None
    """The certified rate, None for a fixed policy."""
    plan: dict[str, Any] | None
    """What to do next in every state (`learned.Plan`), None for a fixed policy."""
    router: RouterName | None
    """The artifact whose answer scorer the plan belongs to; None for scorers that were trained out of fold."""
    promise: Promise
    sample: Sample
    expected: Expected
    n_least: Count | None
    """Fewer labelled prompts can certify nothing; None when the limit leaves no room."""
    curve: tuple[CascadePoint, ...]
    created: str
    """ISO 8601."""

    @model_validator(mode="after")
    def _whole(self) -> TunedCascade:
        if self.kind == "fixed":
            if self.plan is not None or self.use not in self.models:
                raise ValueError("a fixed policy has no plan, and `use` names one of its models")
        else:
            if self.plan is None or self.use is not None or self.rate is None:
                raise ValueError("a cascade has a plan and a rate, and no `use`")
            if Plan.from_json(self.plan).models != self.models:
                raise ValueError("the plan is of other models")
        return self

    def read_plan(self) -> Plan | None:
        """The plan, ready to serve; None for a fixed policy."""
        return None if self.plan is None else Plan.from_json(self.plan)


def tuned_cascade(
    choice: CascadeChoice,
    *,
    models: tuple[str, ...],
    plan: Plan | None,
    sample: Sample,
    settings: TuneSettings,
    created: str,
    router: RouterName | None = None,
) -> TunedCascade:
    """The file of a choice; `plan` is the chosen rate's, None when none is certified."""
    kept = choice.chosen is not None
    limit = settings.limit
    promise = f"a quality loss of at most {limit.describe()}, with {settings.confidence:.0%} confidence"
    if choice.chosen is not None:
        saves = "" if choice.expected.savings is None else f" and saves {choice.expected.savings:.0%} of its cost"
        kind = choice.paths[choice.chosen[0]].path.kind
        reason = f"{kind.replace('_', ' ').capitalize()} keeps {promise} against {models[-1]}{saves}."
    elif choice.n_least is None:
        reason = f"Use {models[-1]}: a limit of {limit.describe()} leaves no room for any other model."
    elif choice.n_groups < choice.n_least:
        reason = (
            f"Use {models[-1]}: {choice.n_groups} different prompts are too few to certify {promise}. Even if no "
            f"answer ever got worse, {choice.n_least} are needed."
        )
    else:
        reason = f"Use {models[-1]}: no cascade is shown to keep {promise}, on {choice.n_groups} different prompts."
    return TunedCascade.model_validate(
        {
            "format": CASCADE_FORMAT,
            "kind": "fixed" if plan is None else plan.kind,
            "answer": "cascade" if kept else "strong",
            "reason": reason,
            "models": models,
            "use": None if kept else models[-1],
            "rate": None if choice.chosen is None else choice.paths[choice.chosen[0]].path.rates[choice.chosen[1]],
            "plan": None if plan is None else plan.to_json(),
            "router": router,
            "promise": Promise(
                max_quality_loss=limit.max_loss,
                limit=limit.kind,
                confidence=settings.confidence,
                method=CASCADE_METHOD,
                kept=kept,
            ),
            "sample": sample,
            "expected": choice.expected,
            "n_least": choice.n_least,
            "curve": [
                CascadePoint(
                    kind=each.path.kind,
                    rate=rate,
                    strong_share=float(each.measured.strong_share[j]),
                    quality=float(each.measured.quality[j]),
                    quality_loss=float(each.measured.loss[j]),
                    savings=None if each.measured.savings is None else float(each.measured.savings[j]),
                    p_value=None if np.isnan(each.certified.p_values[j]) else float(each.certified.p_values[j]),
                    certified=bool(each.certified.kept[j]),
                )
                for each in choice.paths
                for j, rate in enumerate(each.path.rates)
            ],
            "created": created,
        }
    )


def write_cascade(path: Path, policy: TunedCascade) -> None:
    """Writes the file whole or not at all; an existing one is replaced.

    Raises:
        DataError: it cannot be written.
    """
    write_json(path, policy.model_dump(mode="json"))


def holds_cascade(path: Path) -> bool:
    """Whether a policy file is one that tuning of cascades wrote, be it that nothing but a fixed model was certified.

    Raises:
        DataError: there is none, it is too large, no JSON, or of another format.
    """
    return "plan" in read_json(path)


def read_cascade(path: Path) -> TunedCascade:
    """The cascade policy in a file.

    Raises:
        DataError: there is none, it is too large, no JSON, of another format, or something in it does not fit.
    """
    raw = read_json(path)
    try:
        return TunedCascade.model_validate(raw)
    except ValidationError as error:
        raise misfit(path, error) from error
