"""Router artifacts: their cards, two side by side, promotion and its undoing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from pointsman.errors import ArtifactError, BadRequest
from pointsman.score import read_card

from .guard import Visit
from .render import redirect, respond

if TYPE_CHECKING:
    from pointsman.promote import Promotion, Store
    from pointsman.score.card import ArtifactCard

MAX_SHOWN = 200
MAX_NOTE_CHARS = 500


@dataclass(frozen=True, slots=True)
class Artifact:
    """One artifact's folder; `fault` says why its card cannot be read."""

    name: str
    is_latest: bool
    card: ArtifactCard | None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of two cards side by side."""

    name: str
    values: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """True when the cards do not agree."""
        return len(set(self.values)) > 1


async def routers(visit: Visit) -> web.Response:
    """The page."""
    desk, query = visit.desk, visit.request.query
    found: tuple[Artifact, ...] = ()
    moves: tuple[Promotion, ...] = ()
    fault = None
    if desk.store is not None:
        try:
            found, moves = await asyncio.to_thread(_stored, desk.store)
        except ArtifactError as error:
            fault = error.message
    serving = None
    if desk.card_folder is not None:
        serving = await asyncio.to_thread(_artifact, desk.card_folder, "in force at the start")
    wanted = [query.get("a"), query.get("b")]
    known = {each.name: each for each in (*found, *([] if serving is None else [serving]))}
    chosen = [known[name] for name in wanted if name is not None and name in known]
    cards = [each.card for each in chosen if each.card is not None]
    return respond(
        visit,
        "routers.html.j2",
        title="Routers",
        store=None if desk.store_folder is None else desk.store_folder.name,
        has_store=desk.store is not None,
        artifacts=found,
        serving=serving,
        router_now=_serving_name(visit),
        moves=tuple(reversed(moves))[:50],
        can_undo=sum(move.action == "promote" for move in moves) > sum(move.action == "undo" for move in moves) + 1,
        fault=fault,
        names=list(known),
        given={"a": wanted[0], "b": wanted[1]},
        compared=[each.name for each in chosen if each.card is not None],
        facts=facts(cards) if cards else (),
    )


async def promote(visit: Visit) -> web.Response:
    """Makes one of the store's artifacts `latest`; gateways that follow it take it over.

    Raises:
        BadRequest: it is not in the store.
        ArtifactError: it does not verify; `latest` stays.
    """
    store = _store(visit)
    name = visit.fields.get("artifact", "")
    folders = {folder.name: folder for folder in await asyncio.to_thread(store.artifacts)}
    if name not in folders:
        raise BadRequest("there is no such artifact in the store")
    await asyncio.to_thread(store.promote, folders[name], note=_note(visit))
    return redirect("/routers")


async def undo(visit: Visit) -> web.Response:
    """Points `latest` back to what it was.

    Raises:
        ArtifactError: there is nothing before it, or it no longer verifies; `latest` stays.
    """
    await asyncio.to_thread(_store(visit).undo, note=_note(visit))
    return redirect("/routers")


def facts(cards: Sequence[ArtifactCard]) -> tuple[Fact, ...]:
    """What cards say, line by line; a line that one of them lacks is "–" there."""
    columns = [dict(_lines(card)) for card in cards]
    names = list(dict.fromkeys(name for column in columns for name in column))
    return tuple(Fact(name, tuple(column.get(name, "–") for column in columns)) for name in names)


def _lines(card: ArtifactCard) -> list[tuple[str, str]]:
    lines = [
        ("Router", card.router),
        ("Models, cheap to strong", ", ".join(card.models)),
        ("Encoder", f"{card.encoder.id}, {card.encoder.dim} dimensions"),
        ("Features", f"version {card.features.version}, {len(card.features.names)}"),
        ("Trained on", f"{card.training.n_prompts:,} prompts, seed {card.training.seed}"),
        ("Sources", "; ".join(f"{each.name} ({each.licence})" for each in card.training.sources)),
        ("Target", card.training.target),
        ("Calibration", f"{card.calibration.method}, fitted on {card.calibration.fitted_on}"),
        ("Licence", card.licence),
    ]
    lines += [(f"Metric: {name}", text) for name, text in _flat(card.metrics)]
    lines += [(f"Limit {number}", text) for number, text in enumerate(card.limits, start=1)]
    return lines


def _flat(value: Any, name: str = "", depth: int = 0) -> list[tuple[str, str]]:
    """Metrics by their path; at most three levels, and only what fits on a line."""
    if isinstance(value, dict) and depth < 3:
        return [
            line
            for key, part in value.items()
            for line in _flat(part, f"{name} {key}".strip().replace("_", " "), depth + 1)
        ]
    if isinstance(value, float):
        return [(name, f"{value:.4g}")]
    if isinstance(value, list) and len(value) == 2 and all(isinstance(each, int | float) for each in value):
        return [(name, f"{value[0]:.4g} to {value[1]:.4g}")]
    return [(name, str(value))] if isinstance(value, str | int | bool) and len(str(value)) <= 200 else []


def _stored(store: Store) -> tuple[tuple[Artifact, ...], tuple[Promotion, ...]]:
    latest = store.latest()
    name = None if latest is None else latest.name
    folders = store.artifacts()[:MAX_SHOWN]
    return tuple(_artifact(folder, folder.name, is_latest=folder.name == name) for folder in folders), store.history()


def _artifact(folder: Path, name: str, *, is_latest: bool = False) -> Artifact:
    try:
        return Artifact(name, is_latest, read_card(folder))
    except ArtifactError as error:
        return Artifact(name, is_latest, None, error.message)


def _store(visit: Visit) -> Store:
    if visit.desk.store is None:
        raise BadRequest("no store of router artifacts is configured (dashboard.store)")
    return visit.desk.store


def _note(visit: Visit) -> str:
    return visit.fields.get("note", "from the dashboard")[:MAX_NOTE_CHARS]


def _serving_name(visit: Visit) -> str | None:
    scorer = visit.gateway.router.scorer
    return None if scorer is None else scorer.router
