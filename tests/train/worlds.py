"""Made-up worlds with known signal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pointsman.vocabulary import Outcomes

EASY = ("cat", "dog", "sun", "tree", "milk", "ball")
HARD = ("tensor", "lemma", "proof", "manifold", "integral", "axiom")


def extract(texts: Sequence[str]) -> NDArray[np.float32]:
    """Length, and a constant."""
    return np.array([[len(text), 1.0] for text in texts], dtype=np.float32)


def encode(texts: Sequence[str]) -> NDArray[np.float32]:
    """Counts of letters, of length 1."""
    rows = np.array([[text.count(letter) for letter in "abcdefghijklmnop"] for text in texts], dtype=np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def world(n: int, *, seed: int, signal: bool = True, models: tuple[str, ...] = ("cheap", "strong")) -> Outcomes:
    """Prompts of easy or hard words. Cheap is right on 90 % of easy and 20 % of hard ones, the last always on 90 %."""
    generator = np.random.default_rng(seed)
    hard = generator.random(n) < 0.5
    prompts = [" ".join(generator.choice(HARD if h else EASY, size=5)) + f" number {i}" for i, h in enumerate(hard)]
    p_cheap = np.where(hard, 0.2, 0.9) if signal else np.full(n, 0.55)
    steps = np.linspace(0, 1, len(models))
    p_good = np.column_stack([p_cheap + step * (0.9 - p_cheap) for step in steps])
    unknown = np.full((n, len(models)), np.nan, dtype=np.float32)
    return Outcomes(
        models=models,
        prompt_ids=tuple(str(i) for i in range(n)),
        datasets=("made up",) * n,
        prompts=tuple(prompts),
        groups=np.arange(n, dtype=np.int64),
        score=(generator.random(p_good.shape) < p_good).astype(np.float32),
        cost_usd=unknown,
        confidence=unknown,
    )


def question_world(n: int, *, seed: int) -> Outcomes:
    """Questions of made-up words, each met once. Cheap is right on 90 % where options share no word, else on 20 %."""
    generator = np.random.default_rng(seed)
    letters = np.array(list("abcdefghijklmnop"))
    hard = generator.random(n) < 0.5

    def words(count: int) -> list[str]:
        return ["".join(generator.choice(letters, size=6)) for _ in range(count)]

    prompts = []
    for alike in hard:
        start = words(3)
        options = [" ".join((start if alike else words(3)) + words(1)) for _ in range(4)]
        lines = [f"{mark}. {option}" for mark, option in zip("ABCD", options, strict=True)]
        prompts.append(" ".join(words(8)) + "?\n" + "\n".join(lines))
    p_good = np.column_stack((np.where(hard, 0.2, 0.9), np.full(n, 0.9)))
    unknown = np.full((n, 2), np.nan, dtype=np.float32)
    return Outcomes(
        models=("cheap", "strong"),
        prompt_ids=tuple(str(i) for i in range(n)),
        datasets=("made up",) * n,
        prompts=tuple(prompts),
        groups=np.arange(n, dtype=np.int64),
        score=(generator.random((n, 2)) < p_good).astype(np.float32),
        cost_usd=unknown,
        confidence=unknown,
    )


def apgr(gain: NDArray[np.floating], outcomes: Outcomes) -> float:
    """Average performance gap recovered (RouteLLM, arXiv 2406.18665, section 2), over ten steps of strong share."""
    cheap, strong = outcomes.score[:, 0].astype(float), outcomes.score[:, -1].astype(float)
    order = np.argsort(-gain, kind="stable")
    gained = np.concatenate(([0.0], np.cumsum((strong - cheap)[order])))
    at = gained[np.linspace(0, len(gain), 11).astype(int)] / (strong - cheap).sum()
    return float(np.trapezoid(at, dx=0.1))
