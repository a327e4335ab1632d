"""What reading a data set found: how much was kept, and what was left out, counted per reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pointsman.vocabulary import JSONObject


@dataclass(frozen=True, slots=True)
class Findings:
    """A report on the rows of a data set. Every row read is either kept or counted under one reason."""

    files: tuple[str, ...]
    n_rows: int
    """Rows read, of the datasets asked for."""
    n_rows_kept: int
    """Rows whose score stands in the matrix."""
    dropped: Mapping[str, int]
    """Rows left out, by reason; reasons without rows are left out."""
    n_prompts: int
    n_complete: int
    """Prompts that every model asked for has a score on; only these take part in paired measures."""
    n_groups: int
    """Prompts that differ once normalised."""
    scored: Mapping[str, int]
    """How many prompts each model has a score on, in the order of the models."""
    cost_sources: Mapping[str, int] = field(default_factory=dict)
    """Where the costs come from, in cells of the matrix: "cost_usd", "tokens", "price" or "unknown"."""
    notes: tuple[str, ...] = ()
    """What a person should know, in sentences."""

    @property
    def n_dropped(self) -> int:
        """Rows left out, all reasons together."""
        return sum(self.dropped.values())

    def to_json(self) -> JSONObject:
        """The findings as plain JSON types."""
        return {
            "files": list(self.files),
            "n_rows": self.n_rows,
            "n_rows_kept": self.n_rows_kept,
            "n_dropped": self.n_dropped,
            "dropped": dict(self.dropped),
            "n_prompts": self.n_prompts,
            "n_complete": self.n_complete,
            "n_groups": self.n_groups,
            "scored": dict(self.scored),
            "cost_sources": dict(self.cost_sources),
            "notes": list(self.notes),
        }

    def lines(self) -> tuple[str, ...]:
        """The findings for a person, a sentence a line."""
        out = [
            f"{self.n_rows_kept:,} of {self.n_rows:,} rows kept: {self.n_prompts:,} prompts, {len(self.scored)} models."
        ]
        out += [f"Left out: {count:,} {'row' if count == 1 else 'rows'}: {why}." for why, count in self.dropped.items()]
        if self.n_complete < self.n_prompts:
            out.append(
                f"{self.n_prompts - self.n_complete:,} prompts lack the score of some model; "
                f"paired measures use the other {self.n_complete:,}."
            )
        return (*out, *self.notes)
