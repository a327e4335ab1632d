"""`pointsman init`: write a first pointsman.yaml."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pointsman.config.writing import DraftFile


def init(
    from_litellm: Annotated[
        Path | None, typer.Option("--from-litellm", help="Carry over the model_list of a LiteLLM proxy file.")
    ] = None,
    to: Annotated[Path, typer.Option("--to", help="The file to write.")] = Path("pointsman.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write a pointsman.yaml from the provider keys in the environment, or from a LiteLLM file.

    Example: pointsman init

    Example: pointsman init --from-litellm config.yaml
    """
    import os

    from pointsman.config.litellm import from_litellm as carry_over
    from pointsman.config.starter import starter

    if from_litellm is None:
        file, found = starter(os.environ, _blended)
        left_out: list[str] = []
    else:
        carried = carry_over(_read(from_litellm), str(from_litellm), _blended_at)
        file, found, left_out = carried.file, [], carried.left_out
    _check(file)
    _write(to, file.text(), force=force)
    simulated = any(model.values["provider"] == "sim" for model in file.models)
    if as_json:
        out = {
            "file": str(to),
            "models": [model.name for model in file.models],
            "tiers": dict(file.tiers),
            "simulated": simulated,
            "found": found,
            "left_out": left_out,
        }
        typer.echo(json.dumps(out, ensure_ascii=False, indent=2))
        return
    typer.echo(f"wrote {to}")
    for line in found:
        typer.echo(f"  {line}")
    for name, models in file.tiers:
        typer.echo(f"  tier {name}: {', '.join(models)}")
    if left_out:
        typer.echo("not carried over:")
        for line in left_out:
            typer.echo(f"  {line}")
    typer.echo(f'next: pointsman config check --config {to}, then pointsman route --config {to} "your prompt"')


def _blended(provider: str, model: str) -> float | None:
    return _blended_at(provider, model, None)


def _blended_at(provider: str, model: str, base_url: str | None) -> float | None:
    from pointsman.catalog import blended_usd_per_mtok, price_of

    price, _ = price_of(provider, model, base_url=base_url)
    return None if price is None else blended_usd_per_mtok(price)


def _read(path: Path) -> str:
    from pointsman.errors import ConfigError

    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such file; check the path") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8 text") from error


def _check(file: DraftFile) -> None:
    """Loads what is about to be written, every variable filled with a stand-in, so that no broken file is left behind.

    Raises:
        ConfigError: what was carried over does not make a valid file.
    """
    import re

    from pointsman import catalog, config

    stand_ins: dict[str, str] = {}
    for draft in file.models:
        for key, value in draft.values.items():
            text = value if isinstance(value, str) else ""
            whole = key == "base_url" and text.startswith("${")
            for name in re.findall(r"\$\{(\w+)", text):
                stand_ins[name] = "https://stand-in.example" if whole else "stand-in"
    settings = config.loads(file.text(), source="the new file", environ=stand_ins)
    for model in settings.models:
        catalog.build_model(**model.plain())


def _write(path: Path, text: str, *, force: bool) -> None:
    from pointsman.errors import ConfigError

    try:
        with path.open("w" if force else "x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError as error:
        raise ConfigError(f"{path}: exists already; give --force to replace it, or --to another file") from error
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be written ({error.strerror}); check the folder and its permissions"
        ) from error
