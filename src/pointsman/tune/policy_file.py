"""POLICY.json: a tuned policy with everything needed to use it, to check it and to find it again."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pointsman.errors import DataError

FORMAT: Final = 1
MAX_BYTES: Final = 4 * 1024 * 1024

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Interval = tuple[float, float]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class RouterName(_Part):
    """The router artifact whose scores the thresholds belong to."""

    name: str
    sha256: str
    """Of its card, hexadecimal; empty when there was no artifact."""
    path: str = ""
    """Where it stood when it was tuned, as the user wrote it; the hash decides whether it is still the same."""


class Promise(_Part):
    """What was tested, at which confidence, by which method."""

    max_quality_loss: Annotated[float, Field(ge=0, lt=1)]
    limit: Literal["relative", "absolute"]
    """A share of the strong model's quality, or score points."""
    confidence: Annotated[float, Field(gt=0, lt=1)]
    method: str
    kept: bool
    """True when the policy named here was certified; always-strong keeps every limit by definition."""


class Sample(_Part):
    """The prompts it was tuned on."""

    n_prompts: Count
    n_groups: Count
    """Different prompts; each counts once."""
    n_unscored: Count
    """Left out: a model's score is missing."""
    n_trained: Count
    """Left out: the router was trained on them."""
    scores_from: Literal["held-out", "out-of-fold"]
    data_hash: str
    seed: int


class Expected(_Part):
    """Estimates on the tuning prompts with 95 % intervals for one policy (not what the promise is made of)."""

    strong_quality: Share
    quality: Share
    quality_loss: float
    """In the limit's own unit."""
    quality_loss_ci: Interval
    strong_share: Share
    cost_usd: float | None
    """Per prompt; None when a model's cost is not known at all."""
    strong_cost_usd: float | None
    savings: float | None
    """1 - cost / cost of always-strong; negative when it costs more."""
    savings_ci: Interval | None


class Missing(_Part):
    """How many labelled prompts are missing for the next better answer."""

    n_least: Count | None
    """Fewer can certify nothing; None when the limit leaves no room."""
    threshold: Share | None
    """The threshold within reach that would save most; None when none is."""
    savings: float | None
    n_needed: Count | None
    """Different prompts in all at which it is certified with a chance of about 80 %, if its estimated loss is right."""
    n_missing: Count | None


class CurvePoint(_Part):
    """One threshold that stood to test, strictest first."""

    threshold: Share
    strong_share: Share
    quality: Share
    quality_loss: float
    savings: float | None
    p_value: Share | None
    """None when the search had ended before."""
    certified: bool
    n_needed: Count | None


class TunedPolicy(_Part):
    """The whole file."""

    format: Literal[1]
    kind: Literal["threshold", "fixed"]
    answer: Literal["route", "cheap", "strong"]
    reason: str
    models: tuple[str, ...]
    """From cheap to strong; the last is the quality reference."""
    thresholds: tuple[Share, ...]
    """One per model but the last: the least P(good enough) that takes it. Empty for a fixed policy."""
    use: str | None
    """The model of a fixed policy."""
    router: RouterName | None
    promise: Promise
    sample: Sample
    expected: Expected
    missing: Missing
    curve: tuple[CurvePoint, ...]
    created: str
    """ISO 8601."""

    @model_validator(mode="after")
    def _whole(self) -> TunedPolicy:
        if len(self.models) < 2 or len(set(self.models)) != len(self.models):
            raise ValueError(f"models {self.models} are fewer than two or not all different")
        if self.kind == "threshold" and (len(self.thresholds) != len(self.models) - 1 or self.use is not None):
            raise ValueError("a threshold policy has one threshold per model but the last, and no `use`")
        if self.kind == "fixed" and (self.thresholds or self.use not in self.models):
            raise ValueError("a fixed policy has no thresholds, and `use` names one of its models")
        if (self.kind == "threshold") != (self.answer == "route"):
            raise ValueError("kind and answer do not fit")
        return self


def write_policy(path: Path, policy: TunedPolicy) -> None:
    """Writes the file whole or not at all; an existing one is replaced.

    Raises:
        DataError: it cannot be written.
    """
    write_json(path, policy.model_dump(mode="json"))


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes a policy's content whole or not at all.

    Raises:
        DataError: it cannot be written.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            Path(beside).chmod(0o644)
            Path(beside).replace(path)
        finally:
            Path(beside).unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"the policy cannot be written to {path}: {error.strerror}") from error


def read_policy(path: Path) -> TunedPolicy:
    """The policy in a file.

    Raises:
        DataError: there is none, it is too large, no JSON, of another format, or something in it does not fit.
    """
    raw = read_json(path)
    if raw.get("kind") in ("cascade", "cascade_routing"):
        raise DataError(f"{path} is a {raw['kind']} policy; a threshold policy or a fixed one was expected")
    try:
        return TunedPolicy.model_validate(raw)
    except ValidationError as error:
        raise misfit(path, error) from error


def misfit(path: Path, error: ValidationError) -> DataError:
    """The error for a policy in which something does not fit, with its place."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return DataError(f"{path}, at {where}: {first['msg']}" if where else f"{path}: {first['msg']}")


def read_json(path: Path) -> dict[str, Any]:
    """A policy file's content, of the format that this version reads.

    Raises:
        DataError: there is none, it is too large, no JSON, or of another format.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError(f"the policy {path} cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise DataError(f"{path} is larger than {MAX_BYTES} bytes: no policy is")
    try:
        raw = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no policy: it is not JSON") from error
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        found = raw.get("format") if isinstance(raw, dict) else type(raw).__name__
        raise DataError(f"{path} has format {found!r}, but this version of Pointsman reads policies of format {FORMAT}")
    return raw
