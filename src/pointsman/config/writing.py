"""A `pointsman.yaml` written for people: comments, one model a block, keys only as `${VAR}`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_BARE = re.compile(r"[A-Za-z][A-Za-z0-9._/-]*")
_WORDS_OF_YAML = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


@dataclass(frozen=True, slots=True)
class Draft:
    """One model to write: keys and values in order; a nested mapping is written in one line."""

    name: str
    values: Mapping[str, object]
    comment: str = ""


@dataclass(slots=True)
class DraftFile:
    """A file to write. `tiers` holds (name, names of models), cheapest first."""

    heading: Sequence[str]
    models: list[Draft] = field(default_factory=list)
    tiers: list[tuple[str, list[str]]] = field(default_factory=list)
    store: str = "sqlite:///pointsman.db"

    def text(self) -> str:
        """The YAML text."""
        lines = [*(f"# {line}".rstrip() for line in self.heading), "", "models:"]
        for model in self.models:
            lines.append(f"  - name: {scalar(model.name)}" + (f"    # {model.comment}" if model.comment else ""))
            lines.extend(f"    {key}: {inline(value)}" for key, value in model.values.items())
        lines += ["", "tiers:    # cheapest first; the first healthy model of a tier serves, the rest are fallbacks"]
        for name, models in self.tiers:
            lines.append(f"  - {{name: {scalar(name)}, models: {inline(models)}}}")
        lines += ["", "router: {artifact: builtin}    # the router that ships with Pointsman", ""]
        cheap, strong = self.tiers[0][0], self.tiers[-1][0]
        if len(self.tiers) > 1:
            lines += [
                "rules: builtin    # a readable set to start from; or a list of your own",
                "",
                "policies:",
                "  auto: {kind: threshold, max_quality_loss: 0.01}    # at most 1 % below always-strong",
                f"  always-strong: {{kind: fixed, tier: {scalar(strong)}}}",
                f"  always-cheap: {{kind: fixed, tier: {scalar(cheap)}}}",
            ]
        else:
            lines += [
                "policies:",
                f"  auto: {{kind: fixed, tier: {scalar(cheap)}}}    # add a second tier to route between them",
            ]
        lines += ["default_policy: auto", f"baseline: {scalar(strong)}    # what savings are counted against", ""]
        lines += [f"ledger: {{url: {scalar(self.store)}}}", "server: {host: 127.0.0.1, port: 8484}", ""]
        return "\n".join(lines)


def inline(value: object) -> str:
    """One value on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(inline(item) for item in value) + "]"
    return scalar(value)


def scalar(value: object) -> str:
    """A scalar as YAML reads it back; text is quoted unless it is plainly text."""
    if isinstance(value, str):
        return value if _BARE.fullmatch(value) and value.lower() not in _WORDS_OF_YAML else json.dumps(value)
    if isinstance(value, float):
        # YAML 1.1 reads 1e-07 as text; Python writes such small prices that way.
        return f"{value:.12f}".rstrip("0").rstrip(".")
    return json.dumps(value)


def literal(text: str) -> str:
    """Text that is not to be filled in: every dollar sign doubled."""
    return text.replace("$", "$$")
