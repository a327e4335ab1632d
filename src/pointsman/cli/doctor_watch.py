"""Reads for `pointsman doctor` what is on record of the policies that are watched, and acknowledges alarms."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pointsman import assembly
from pointsman.doctor import Finding, WatchFacts, watch_findings
from pointsman.errors import BadRequest, LedgerError
from pointsman.vocabulary import WatchEvent, WatchKind

if TYPE_CHECKING:
    from pointsman.assembly import Parts


def look_at_policies(parts: Parts, url: str) -> list[Finding]:
    """Findings about the promises of the configured policies; none where nothing is compared, or nothing is on record.

    A ledger that cannot be read has a finding of its own.
    """
    from pointsman.record import open_reader
    from pointsman.watching import restored

    plans = assembly.watch_plans(parts)
    if not plans:
        return []
    try:
        reader = open_reader(url)
    except LedgerError:
        return []
    found: list[Finding] = []
    try:
        for plan in plans.values():
            watch = restored(plan, reader)
            loss, least, most = watch.loss
            found += watch_findings(
                WatchFacts(
                    policy=plan.policy,
                    n_compared=watch.bound.n,
                    loss=loss,
                    least=least,
                    most=most,
                    limit=plan.limit,
                    confidence=plan.confidence,
                    alarm=watch.alarm,
                    strong_serves=plan.on_alarm == "strong",
                    drifts=tuple(watch.drifts.values()),
                    moved_prices=watch.moved_prices,
                )
            )
    except LedgerError:
        return []
    finally:
        reader.close()
    return found


def acknowledge(config: Path | None, policy: str, *, ledger: str | None) -> str:
    """Lets a policy decide again, and counting begin anew; returns what was done, in words.

    Raises:
        BadRequest: there is no such policy, or it is not watched.
        ConfigError, ArtifactError, LedgerError: as everywhere.
    """
    parts = assembly.from_config(config)
    plans = assembly.watch_plans(parts)
    if policy not in plans:
        known = ", ".join(plans) if plans else "none; nothing is compared while shadow.share is 0"
        raise BadRequest(f"no policy {policy!r} is watched; watched are: {known}")
    plan = plans[policy]
    opened = assembly.open_ledger(parts, url=ledger)
    try:
        opened.write_watch(WatchEvent(policy, plan.fingerprint, WatchKind.ACKNOWLEDGED, datetime.now(UTC)))
        if not opened.flush():
            raise LedgerError("the acknowledgement could not be written; `pointsman db check` tells more")
    finally:
        opened.close()
    return f"policy {policy} decides again; what is compared from now on counts. A running gateway follows within 5 s."
