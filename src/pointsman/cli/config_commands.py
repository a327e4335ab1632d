"""`pointsman config`: show, explain and check the configuration, print its schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pointsman.config import LoadedSettings
    from pointsman.vocabulary import Model

app = typer.Typer(no_args_is_help=True)

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="The file; without one, POINTSMAN_CONFIG, then pointsman.yaml here."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("show")
def show(
    config: ConfigOption = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show where each value came from.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show every setting in use, secrets masked.

    Example: pointsman config show --explain
    """
    from pointsman.config import explain as explained

    settings = read(config)
    rows = explained(settings)
    if as_json:
        out = [row._asdict() if explain else {"path": row.path, "shown": row.shown} for row in rows]
        typer.echo(json.dumps({"source": settings.source, "settings": out}, ensure_ascii=False, indent=2))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("setting", "value", "from")[: 3 if explain else 2]:
        table.add_column(title, overflow="fold")
    for row in rows:
        cells = [row.path, row.shown, row.origin]
        table.add_row(*(escape(cell) for cell in cells[: 3 if explain else 2]))
    Console().print(table)


@app.command("schema")
def schema() -> None:
    """Print the JSON Schema of pointsman.yaml.

    Example: pointsman config schema > pointsman.schema.json
    """
    from pointsman.config.schema import json_schema_text

    typer.echo(json_schema_text(), nl=False)


@app.command("check")
def check(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check the file and what it names: variables, rules, addresses, prices. Exits 2 when something is wrong.

    Example: pointsman config check --config pointsman.yaml
    """
    from pointsman.assembly import from_config

    settings = read(config)
    models = build_all(settings)
    from_config(config)  # the rest of what it names: the router artifact, the rules' tiers
    notes = remarks(settings, models)
    if as_json:
        out = {
            "ok": True,
            "source": settings.source,
            "models": [_summary(model) for model in models.values()],
            "remarks": notes,
        }
        typer.echo(json.dumps(out, ensure_ascii=False, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(box=None, pad_edge=False)
    for title in ("tier", "model", "provider", "called", "in $/Mtok", "out $/Mtok", "window"):
        table.add_column(title, overflow="fold")
    tier_of = {name: tier.name for tier in settings.tiers for name in tier.models}
    for model in models.values():
        window = model.capabilities.context_window_tokens
        table.add_row(
            tier_of.get(model.name, "-"),
            model.name,
            "sim (simulated)" if model.simulated else model.provider,
            model.provider_model,
            "unknown" if model.price is None else f"{model.price.input_usd_per_mtok:g}",
            "unknown" if model.price is None else f"{model.price.output_usd_per_mtok:g}",
            "unknown" if window is None else f"{window:,}",
        )
    console.print(table)
    lists = sorted({f"{m.price.source} of {m.price.as_of}" for m in models.values() if m.price and m.price.as_of})
    if lists:
        console.print(f"list prices: {', '.join(lists)}", markup=False, highlight=False)
    for note in notes:
        console.print(f"note: {note}", markup=False, highlight=False)
    console.print(f"{settings.source} is good", markup=False, highlight=False)


def read(config: Path | None) -> LoadedSettings:
    """The settings, with their rules checked too.

    Raises:
        ConfigError: something is wrong.
    """
    from pointsman import config as configuration
    from pointsman.assembly import check_rule

    return configuration.load(config, check_rule=check_rule)


def build_all(settings: LoadedSettings) -> dict[str, Model]:
    """Every model by its name, in the order of the file.

    Raises:
        ConfigError: models that cannot be built, all of them named with their lines.
    """
    from pointsman import catalog
    from pointsman.errors import ConfigError

    models: dict[str, Model] = {}
    faults: list[str] = []
    for index, model in enumerate(settings.models):
        try:
            models[model.name] = catalog.build_model(**model.plain())
        except ConfigError as error:
            faults.append(f"{settings.source}:{settings.line_of('models', index)}: models[{index}]: {error.message}")
    if faults:
        raise ConfigError("\n".join(faults))
    return models


def remarks(settings: LoadedSettings, models: dict[str, Model]) -> list[str]:
    """What is allowed but probably not meant, in words: models without a price or a tier, tiers out of order."""
    from pointsman.catalog import blended_usd_per_mtok

    notes = [
        f"{model.name} has no price, so its cost and savings stay unknown: {model.price_missing}"
        for model in models.values()
        if model.price is None
    ]
    held = {name for tier in settings.tiers for name in tier.models}
    notes += [f"{name} is in no tier; only its own name reaches it" for name in models if name not in held]
    dearest: tuple[str, float] | None = None
    for tier in settings.tiers:
        price = models[tier.models[0]].price
        if price is None:
            continue
        blended = blended_usd_per_mtok(price)
        if dearest is not None and blended < dearest[1]:
            notes.append(f"tier {tier.name} is cheaper than tier {dearest[0]} before it; tiers go from cheap to strong")
        dearest = (tier.name, blended)
    if any(model.simulated for model in models.values()):
        notes.append("there are simulated models: their answers are not real")
    return notes


def _summary(model: Model) -> dict[str, object]:
    """One model as plain data, without its headers."""
    from dataclasses import asdict

    return {
        "name": model.name,
        "provider": model.provider,
        "model": model.provider_model,
        "endpoints": {str(dialect): endpoint.url for dialect, endpoint in model.endpoints.items()},
        "price": None if model.price is None else asdict(model.price),
        "price_missing": model.price_missing,
        "capabilities": asdict(model.capabilities),
        "simulated": model.simulated,
    }
