"""Scores of prompts from a program in another environment: JSON lines in, JSON lines out.

The program reads one object a line, `{"prompt": "..."}`, until its input ends. It writes one line that says who it is,
`{"scorer": "name and version", "names": ["a", "b"]}`, and then one line per prompt, in their order,
`{"need": [0.1, 0.7]}`: for each name, the higher the more the prompt needs the strong model.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


class ScorerError(Exception):
    """The program failed, or wrote what the protocol does not have; the message says which."""


@dataclass(frozen=True, slots=True, eq=False)
class OfflineScores:
    """What the program said."""

    scorer: str
    need: dict[str, NDArray[np.float64]]
    """By name, shape (prompts,)."""


def offline_scores(command: Sequence[str], prompts: Sequence[str], *, timeout_s: float = 1_800) -> OfflineScores:
    """The program's scores for all prompts.

    Raises:
        ScorerError: it cannot be started, fails, takes too long, or its lines do not fit the prompts.
    """
    given = "".join(json.dumps({"prompt": prompt}) + "\n" for prompt in prompts)
    try:
        done = subprocess.run(
            command,
            input=given.encode(),
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except OSError as error:
        raise ScorerError(f"{command[0]} cannot be started: {error.strerror}; `make bench-litellm-env`?") from error
    except subprocess.TimeoutExpired as error:
        raise ScorerError(f"{command[0]} has not answered within {timeout_s:g} s") from error
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise ScorerError(f"{command[0]} exited with {done.returncode}: {''.join(last)}")
    return _parsed(done.stdout.decode().splitlines(), len(prompts))


def _parsed(lines: Sequence[str], n_prompts: int) -> OfflineScores:
    try:
        head, *rest = [json.loads(line) for line in lines]
        scorer, names = str(head["scorer"]), [str(name) for name in head["names"]]
        rows = [[float(value) for value in row["need"]] for row in rest]
    except (ValueError, KeyError, TypeError) as error:
        raise ScorerError(f"expected the scorer's name, then one list of scores a line: {error!r}") from error
    if len(rows) != n_prompts:
        raise ScorerError(f"expected {n_prompts} lines of scores, got {len(rows)}")
    if any(len(row) != len(names) for row in rows):
        raise ScorerError(f"expected {len(names)} scores a line ({', '.join(names)})")
    need = np.array(rows, dtype=np.float64).reshape(n_prompts, len(names))
    if not np.isfinite(need).all():
        raise ScorerError("expected finite scores")
    return OfflineScores(scorer, {name: need[:, place] for place, name in enumerate(names)})
