"""What scoring an answer costs without a judge model: checks, signals, text and prompt, one answer at a time.

    python benchmarks/bench_answer_scoring.py [--n 300] [--tokens 500]

Trains a scorer on made-up questions and answers, then scores answers of about 500 tokens one by one. Needs
`pip install 'pointsman[train]'`; what is timed needs numpy alone.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

from pointsman.cascade_study import answer_readers
from pointsman.features import Reader, open_encoder
from pointsman.judge import AnswerScorer, Asked, Given, TokenReading
from pointsman.train import AnswerLearner
from pointsman.vocabulary import Outcomes

_SENTENCES = (
    "First we look at the speed, which is {a} m/s, and at the time of {b} s.",
    "The distance is the product, so {a} times {b} gives {c} m.",
    "However, the slope changes after {b} s, and we have to take the second part into account.",
    "Therefore the total distance is about {c} m, rounded to one decimal place.",
    "Let us check this against the energy: the two results agree within {b} %.",
)

_STARTS, _ENDS = ("ba", "ce", "di", "fo", "gu", "ha", "ke", "li", "mo"), ("ll", "nder", "st", "rk", "sing", "ven")
_WORDS = [start + end for start in _STARTS for end in _ENDS]


def made_up(n: int, n_tokens: int, generator: np.random.Generator) -> Outcomes:
    """n questions about rolling balls with long answers; half of them are right."""
    prompts, answers = [], []
    right = generator.random((n, 2)) < 0.5
    for row in range(n):
        a, b = (int(x) for x in generator.integers(2, 99, size=2))
        prompts.append(
            f"A ball rolls at {a} m/s for {b} s, case {row}. How far does it roll?\nA. {a} m\nB. {a * b} m\n"
        )
        sentences: list[str] = []
        while sum(map(len, sentences)) < 3.6 * n_tokens:
            text = str(generator.choice(_SENTENCES))
            aside = " ".join(generator.choice(_WORDS, size=12).tolist())
            sentences.append(f"{text.format(a=a, b=b, c=a * b + int(generator.integers(5)))} {aside.capitalize()}.")
        answers.append(" ".join(sentences) + (" The answer is (B)." if right[row, 0] else " The answer is (A)."))
    return Outcomes(
        models=("cheap", "strong"),
        prompt_ids=tuple(map(str, range(n))),
        datasets=("made up",) * n,
        prompts=tuple(prompts),
        groups=np.arange(n),
        score=right.astype(np.float32),
        cost_usd=np.tile(np.array([0.001, 0.01], dtype=np.float32), (n, 1)),
        confidence=np.full((n, 2), 0.9, dtype=np.float32),
        responses=tuple((answer, answer) for answer in answers),
    )


def main() -> None:
    """Prints the median and the 90th and 99th percentiles in milliseconds, of wall time where nothing else is said."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=300)
    parser.add_argument("--tokens", type=int, default=500)
    options = parser.parse_args()
    generator = np.random.default_rng(0)
    readers = answer_readers()
    skill = AnswerLearner(readers=readers).fit(made_up(200, options.tokens, generator)).answer_skill_
    outcomes = made_up(options.n, options.tokens, generator)
    reader = Reader(open_encoder("static"))
    scorer = AnswerScorer(skill, extract=reader.extract_texts, encode=reader.encode, look=reader.look)
    assert outcomes.responses is not None
    first, ahead_ms, score_ms, worked_ms = time.perf_counter(), [], [], []
    for prompt, (answer, _) in zip(outcomes.prompts, outcomes.responses, strict=True):
        start = time.perf_counter()
        ahead = scorer.ahead(prompt)
        middle = time.perf_counter()
        asked, given = Asked(prompt), Given("" if answer is None else answer, "stop")
        worked = time.thread_time()
        scorer.score("cheap", asked, given, ahead=ahead, tokens=TokenReading(0.9))
        worked_ms.append(1e3 * (time.thread_time() - worked))
        ahead_ms.append(1e3 * (middle - start))
        score_ms.append(1e3 * (time.perf_counter() - middle))
    mean_chars = statistics.fmean(len(str(row[0])) for row in outcomes.responses)
    print(f"{options.n} answers of {mean_chars:.0f} characters, {time.perf_counter() - first:.1f} s in all")
    reading = []
    for answer, _ in outcomes.responses:
        start = time.perf_counter()
        readers.extract(["" if answer is None else answer])
        reading.append(1e3 * (time.perf_counter() - start))
    print(f"for comparison, the router's features of such a text: p50 {statistics.median(reading):.3f} ms")
    for name, times in (
        ("before any call, once a request", ahead_ms),
        ("scoring one answer", score_ms),
        ("scoring one answer, processor time", worked_ms),
    ):
        cuts = statistics.quantiles(times, n=100)
        print(f"{name}: least {min(times):.3f} ms, p50 {cuts[49]:.3f} ms, p90 {cuts[89]:.3f} ms, p99 {cuts[98]:.3f} ms")


if __name__ == "__main__":
    main()
