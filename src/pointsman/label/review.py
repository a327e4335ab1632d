"""Human labels: prompt and answer after answer, a key for each, undone at will, gone on with later.

No terminal here: `show` and `read_key` are passed in. Answers are shown without their model's name, in an order drawn
from a seed, so that nobody scores a name. The journal is a JSONL file; one line per key press, undoing included.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import orjson

from pointsman.errors import DataError

from .plain_text import plain

MAX_SHOWN_CHARS = 20_000

KEYS = {"g": 1.0, "h": 0.5, "b": 0.0}
"""Good, half, bad."""
HELP = "g good · h half · b bad · s skip · u undo · q quit"


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """One answer to look at."""

    dataset: str
    prompt_id: str
    model: str
    prompt: str
    answer: str
    reference: str | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """Names the answer in the journal."""
        return (self.dataset, self.prompt_id, self.model)


class Review:
    """A review under way.

    Args:
        items: what to look at; a prompt's answers stay together.
        journal: where key presses go; what it already holds counts.
        seed: draws the order of a prompt's answers.

    Raises:
        DataError: the journal is damaged elsewhere than at its end.
    """

    def __init__(self, items: Sequence[ReviewItem], journal: Path, *, seed: int = 0) -> None:
        self._items = _blind(items, seed)
        self._journal = journal
        self._said: list[tuple[tuple[str, str, str], float | None]] = []
        self._ever: set[tuple[str, str, str]] = set()
        self._read()

    @property
    def scores(self) -> dict[tuple[str, str, str], float]:
        """Scores by (dataset, prompt id, model); skipped ones are not in it."""
        return {key: score for key, score in self._said if score is not None}

    @property
    def undone(self) -> set[tuple[str, str, str]]:
        """Answers whose score was taken back and not given anew."""
        return self._ever - {key for key, _ in self._said}

    @property
    def unfinished(self) -> list[tuple[str, str]]:
        """Prompts (dataset, prompt id) of which some answers were looked at and some were not, in their order."""
        seen = {key for key, _ in self._said}
        begun = {key[:2] for key in seen}
        return list(dict.fromkeys(i.key[:2] for i in self._items if i.key not in seen and i.key[:2] in begun))

    @property
    def n_left(self) -> int:
        """How many answers were neither scored nor skipped."""
        seen = {key for key, _ in self._said}
        return sum(item.key not in seen for item in self._items)

    def run(self, show: Callable[[str], None], read_key: Callable[[], str]) -> None:
        """Goes through what is left until the end, or until q or the end of input."""
        while (item := self._next()) is not None:
            show(self._page(item))
            while True:
                key = read_key().lower()
                if key in ("q", "\x03", "\x04", ""):
                    return
                if key == "u":
                    if self._undo():
                        break
                    show("nothing to undo")
                elif key == "s" or key in KEYS:
                    self._say(item, KEYS.get(key))
                    break
                else:
                    show(HELP)

    def _next(self) -> ReviewItem | None:
        seen = {key for key, _ in self._said}
        return next((item for item in self._items if item.key not in seen), None)

    def _page(self, item: ReviewItem) -> str:
        number = len(self._items) - self.n_left + 1
        parts = [
            f"──── {number} of {len(self._items)} · {_shown(item.dataset)} · {_shown(item.prompt_id)}",
            f"PROMPT\n{_shown(item.prompt)}",
        ]
        if item.reference is not None:
            parts.append(f"REFERENCE\n{_shown(item.reference)}")
        parts += [f"ANSWER\n{_shown(item.answer)}", HELP]
        return "\n\n".join(parts)

    # ------------------------------------------------------------ journal

    def _say(self, item: ReviewItem, score: float | None) -> None:
        self._write({"dataset": item.dataset, "prompt_id": item.prompt_id, "model": item.model, "score": score})
        self._note(item.key, score)

    def _note(self, key: tuple[str, str, str], score: float | None) -> None:
        self._said.append((key, score))
        self._ever.add(key)

    def _undo(self) -> bool:
        if not self._said:
            return False
        self._write({"undo": True})
        self._said.pop()
        return True

    def _write(self, row: dict[str, Any]) -> None:
        try:
            with self._journal.open("ab") as file:
                file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise DataError(f"{self._journal} cannot be written: {error.strerror}") from error

    def _read(self) -> None:
        if not self._journal.exists():
            return
        raw = self._journal.read_bytes()
        whole = raw[: raw.rfind(b"\n") + 1]
        if len(whole) < len(raw):
            # A torn last line: its key press was never acknowledged.
            os.truncate(self._journal, len(whole))
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                row = orjson.loads(line)
                if row.get("undo") is True:
                    self._said.pop()
                else:
                    self._note((row["dataset"], row["prompt_id"], row["model"]), row["score"])
            except (orjson.JSONDecodeError, AttributeError, KeyError, IndexError) as error:
                raise DataError(f"{self._journal}, line {number}: not a line of a review") from error


def _blind(items: Sequence[ReviewItem], seed: int) -> list[ReviewItem]:
    by_prompt: dict[tuple[str, str], list[ReviewItem]] = {}
    for item in items:
        by_prompt.setdefault((item.dataset, item.prompt_id), []).append(item)
    out: list[ReviewItem] = []
    for (dataset, prompt_id), group in by_prompt.items():
        # Seeded by the prompt too: the order is the same in every run, whatever else is reviewed.
        shuffled = sorted(group, key=lambda item: item.model)
        Random(f"{seed}\x1f{dataset}\x1f{prompt_id}").shuffle(shuffled)
        out += shuffled
    return out


def _shown(text: str) -> str:
    text = plain(text)
    if len(text) <= MAX_SHOWN_CHARS:
        return text
    return f"{text[:MAX_SHOWN_CHARS]}\n[… {len(text) - MAX_SHOWN_CHARS} characters more …]"
