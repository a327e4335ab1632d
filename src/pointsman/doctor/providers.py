"""Whether providers can be reached, and whether they take the key and know the model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from .connect import Address
from .finding import Finding, State

NETWORK = "check `base_url` and the network (a firewall, a proxy that this machine needs, a server not started)"


@dataclass(frozen=True, slots=True)
class Called:
    """What came of one small call to one model."""

    model: str
    status: int | None
    """The HTTP status; None when no answer came."""
    failure: str | None
    """Why none came, in words; None when one did."""
    total_ms: float
    cost_usd: float | None
    date: datetime | None = None
    """What the provider's clock said."""
    key_from: str | None = None
    """Where the key comes from, such as "env OPENAI_API_KEY"; None when there is none."""


def connection_findings(
    models: Mapping[Address, Sequence[str]], outcome: Mapping[Address, str | None]
) -> list[Finding]:
    """Findings about connections, one per address.

    Args:
        models: names of the models behind each address.
        outcome: as `connect_all` gives it.
    """
    found: list[Finding] = []
    for address, names in sorted(models.items()):
        who, why = ", ".join(names), outcome[address]
        if why is None:
            found.append(
                Finding("providers", State.OK, f"{who}: {address} takes connections; --live tries key and model")
            )
        else:
            found.append(
                Finding(
                    "providers",
                    State.FAULT,
                    f"{who}: {address}: {why}",
                    NETWORK,
                )
            )
    return found


def called_findings(calls: Iterable[Called]) -> list[Finding]:
    """Findings about calls that were made, one per model."""
    return [_called(call) for call in calls]


def _called(call: Called) -> Finding:
    key = "it needs a key" if call.key_from is None else f"the key ({call.key_from})"
    if call.status is None:
        return Finding(
            "providers",
            State.FAULT,
            f"{call.model} did not answer: {call.failure}",
            NETWORK,
        )
    if 200 <= call.status < 300:
        cost = "" if call.cost_usd is None else f", {call.cost_usd:.6f} USD"
        if call.failure is not None:
            return Finding(
                "providers",
                State.FAULT,
                f"{call.model}: {call.failure}",
                "check that `base_url` leads to an API and not to a web page, and `dialects` to what it speaks",
            )
        return Finding("providers", State.OK, f"{call.model} answered in {call.total_ms:.0f} ms{cost}")
    said = f"{call.model} answered with status {call.status}"
    if call.status in (401, 403):
        if call.key_from is None:
            return Finding("providers", State.FAULT, f"{said}: {key}", "add `api_key: ${VARIABLE}` to the model")
        return Finding(
            "providers",
            State.FAULT,
            f"{said}: {key} was refused",
            "check that it is a key of this provider, not expired, and may use this model",
        )
    if call.status == 402:
        return Finding("providers", State.FAULT, f"{said}: it wants payment", "top up the account")
    if call.status == 404:
        return Finding(
            "providers",
            State.FAULT,
            f"{said}: the model or the path is not known there",
            "check `model` and `base_url`",
        )
    if call.status in (408, 409, 429) or call.status >= 500:
        return Finding(
            "providers",
            State.WARNING,
            f"{said}: reached, and busy, limited or out of order at this moment",
            "try again later; a tier with a second model keeps serving meanwhile",
        )
    return Finding(
        "providers",
        State.WARNING,
        f"{said}: reached, but it does not take a plain short request",
        "check `model`, `dialects` and `api_version`",
    )
