"""What stands in an evaluation's JSON beside its numbers: misroutes, what moved decisions, provenance.

`misroutes`, `moved` and `provenance` are lists and an object with the fields of the dataclasses in `contents`. What is
not of the right type is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .contents import Misroute, Moved, Provenance
from .numbers import finite


def misroutes(evaluation: Mapping[str, Any]) -> tuple[Misroute, ...]:
    """The misroutes that the JSON holds; those without models are left out."""
    found = []
    for raw in _maps(evaluation.get("misroutes")):
        served, ideal = raw.get("served"), raw.get("ideal")
        if not isinstance(served, str) or not isinstance(ideal, str):
            continue
        prompt = raw.get("prompt")
        found.append(
            Misroute(
                prompt_id=_text(raw.get("prompt_id")),
                dataset=_text(raw.get("dataset")),
                served=served,
                ideal=ideal,
                scores=_numbers(raw.get("scores")),
                costs_usd=_numbers(raw.get("costs_usd")),
                p_good=finite(raw.get("p_good")),
                prompt=prompt if isinstance(prompt, str) else None,
            )
        )
    return tuple(found)


def moved(evaluation: Mapping[str, Any]) -> tuple[Moved, ...]:
    """What moved decisions, as far as the JSON says."""
    found = []
    for raw in _maps(evaluation.get("moved")):
        effect, text = finite(raw.get("effect")), raw.get("text")
        if effect is not None and isinstance(text, str):
            found.append(Moved(text, effect, finite(raw.get("share"))))
    return tuple(found)


def provenance(evaluation: Mapping[str, Any]) -> Provenance:
    """Where the numbers come from, as far as the JSON says."""
    raw = evaluation.get("provenance")
    if not isinstance(raw, Mapping):
        return Provenance()
    known = raw.get("out_of_sample")
    return Provenance(
        router=_text(raw.get("router")) or None,
        code_hash=_text(raw.get("code_hash")) or None,
        versions={str(name): each for name, each in _map(raw.get("versions")).items() if isinstance(each, str)},
        command=_text(raw.get("command")) or None,
        sources=tuple(each for each in _list(raw.get("sources")) if isinstance(each, str)),
        seeds={str(name): each for name, each in _map(raw.get("seeds")).items() if isinstance(each, int)},
        out_of_sample=known if isinstance(known, bool) else None,
    )


def _numbers(raw: object) -> dict[str, float | None]:
    return {str(name): finite(each) for name, each in _map(raw).items()}


def _text(raw: object) -> str:
    return str(raw) if isinstance(raw, str | int) and not isinstance(raw, bool) else ""


def _map(raw: object) -> Mapping[str, Any]:
    return raw if isinstance(raw, Mapping) else {}


def _list(raw: object) -> Sequence[object]:
    return raw if isinstance(raw, Sequence) and not isinstance(raw, str | bytes) else ()


def _maps(raw: object) -> list[Mapping[str, Any]]:
    return [each for each in _list(raw) if isinstance(each, Mapping)]
