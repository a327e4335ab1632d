"""What the pages read and do: everything they need, passed in once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pointsman.router_artifact import artifact_folder, verified_hash
from pointsman.vocabulary import DialPoint, Feedback, KeyTerms, VirtualKey

from .sessions import Sessions

if TYPE_CHECKING:
    from pointsman.assembly import Parts
    from pointsman.promote import Store
    from pointsman.record import KeyStore, Reader, SqlLedger


class KeyCupboard(Protocol):
    """Where virtual keys are made and revoked; see `pointsman.record.KeyStore`."""

    def create(
        self, name: str, terms: KeyTerms, *, now: datetime, expires_at: datetime | None = None
    ) -> tuple[str, VirtualKey]:
        """A new key, and what is kept of it."""

    def revoke(self, name: str, *, now: datetime) -> VirtualKey:
        """The key of that name or id, revoked."""

    def all(self) -> tuple[VirtualKey, ...]:
        """Every key, oldest first."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The parts of one dashboard.

    Attributes:
        reader: of the ledger.
        say: takes feedback.
        keys: None where none can be made.
        clients: names of the keys in the configuration.
        evidence: what `pointsman evaluate --json` wrote, None when it is not configured.
        dial: of the router in force.
        card_folder: the folder of the router in force; None when no policy asks one.
        store: of router artifacts, None when there is none.
        store_folder: where it is.
        stores_prompts: the ledger is told to keep prompts.
    """

    reader: Reader
    say: Callable[[Feedback], None]
    keys: KeyCupboard | None = None
    clients: tuple[str, ...] = ()
    evidence: Path | None = None
    dial: tuple[DialPoint, ...] = ()
    card_folder: Path | None = None
    store: Store | None = None
    store_folder: Path | None = None
    stores_prompts: bool = False
    default_limits: Mapping[str, float] = field(default_factory=dict)
    """The quality loss that each threshold policy allows, by its name."""
    sessions: Sessions = field(default_factory=Sessions)


def desk_of(parts: Parts, ledger: SqlLedger, keys: KeyStore) -> Desk:
    """The desk of a gateway's configuration."""
    from datetime import UTC

    from pointsman.decide import ThresholdPolicy
    from pointsman.promote import Store
    from pointsman.score import BUILTIN

    settings = parts.settings
    chosen = settings.dashboard
    spec = settings.router.artifact
    folder = _store_folder(None if spec == BUILTIN else settings.file_path(spec))
    if chosen.store is not None:
        folder = settings.file_path(chosen.store)
    thresholds = {
        name: policy.max_quality_loss
        for name, policy in parts.policies.items()
        if isinstance(policy, ThresholdPolicy) and policy.max_quality_loss is not None
    }
    return Desk(
        reader=ledger.reader,
        say=ledger.write_feedback,
        keys=keys,
        clients=tuple(client.name for client in settings.keys.clients),
        evidence=None if chosen.evidence is None else settings.file_path(chosen.evidence),
        dial=() if parts.scorer is None else parts.scorer.dial,
        card_folder=(
            None if parts.scorer is None else artifact_folder(spec if spec == BUILTIN else settings.file_path(spec))
        ),
        store=None if folder is None else Store(folder, verify=verified_hash, now=lambda: datetime.now(UTC)),
        store_folder=folder,
        stores_prompts=settings.ledger.store_prompts,
        default_limits=thresholds,
    )


def _store_folder(artifact: Path | None) -> Path | None:
    """The store that an artifact's path leads into: itself, or the folder of a `latest`."""
    from pointsman.promote.pointer import POINTER

    if artifact is None:
        return None
    if artifact.name == POINTER:
        return artifact.parent
    return artifact if (artifact / POINTER).is_file() else None
