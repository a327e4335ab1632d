"""Records as a gateway would have written them, made up by a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from pointsman.vocabulary import (
    Alternative,
    Attempt,
    AttemptStatus,
    Contribution,
    Cost,
    Decision,
    Dialect,
    Record,
    RuleOutcome,
    Usage,
    Verdict,
)

IN_USD, OUT_USD = {"small": 1e-6, "large": 5e-6}, {"small": 5e-6, "large": 25e-6}
THRESHOLD = 0.62


def records(n: int, *, until: datetime, over: timedelta, seed: int = 1) -> Iterator[Record]:
    """So many, oldest first, all of them before `until`."""
    rng = random.Random(seed)
    for number in range(n):
        at = until - over * (1 - number / n) - timedelta(seconds=rng.random())
        yield one(number, at, rng)


def one(
    number: int,
    at: datetime,
    rng: random.Random,
    *,
    requested: str = "auto",
    tags: Sequence[str] = (),
    key_id: str | None = None,
    session_id: str | None = None,
    prompt: bytes | None = None,
    answer: str | None = None,
    error: str | None = None,
    reason: str | None = None,
) -> Record:
    """One request: most go to the small model, a few fail, some are judged."""
    request_id = f"req_{number:032x}"
    p_cheap = rng.betavariate(4, 1.6)
    failed = error is not None or rng.random() < 0.015
    cheap = p_cheap >= THRESHOLD
    model, tier = ("small", "cheap") if cheap else ("large", "strong")
    usage = None if failed else Usage(int(rng.lognormvariate(6.5, 0.8)), int(rng.lognormvariate(5.2, 0.7)))
    estimates = {name: IN_USD[name] * 700 + OUT_USD[name] * 200 for name in IN_USD}
    decision = Decision(
        request_id=request_id,
        model=model,
        tier=tier,
        policy="auto",
        policy_kind="threshold",
        reason=reason
        or f"P(cheap answer is good enough) is {p_cheap:.2f}, {'at or above' if cheap else 'below'} {THRESHOLD}",
        reason_code="score",
        p_cheap=p_cheap,
        threshold=THRESHOLD,
        moved=(
            Contribution("n_words", 42.0, 0.8, "is short (+0.8)"),
            Contribution("asks_for_proof", 1.0, -0.5, "asks for a proof (−0.5)"),
            Contribution("embedding", 0.0, 0.3, "reads like everyday questions (+0.3)"),
        ),
        rules=(RuleOutcome("short faq", "cheap", "observe", False, "42 words, expected at most 20"),),
        alternatives=(
            Alternative("small", "cheap", estimates["small"], p_cheap, cheap, "good enough" if cheap else "too weak"),
            Alternative("large", "strong", estimates["large"], 1.0, not cheap, "costs more" if cheap else "needed"),
        ),
        why_not_cheaper=None if cheap else "the cheap model's answer is too likely to be worse",
        estimated_cost_usd=estimates[model],
        baseline_model="large",
        estimated_baseline_cost_usd=estimates["large"],
        router="everyday 1",
    )

    def cost(name: str) -> Cost:
        return Cost(0.0) if usage is None else Cost(priced(name, usage))

    verdicts = (Verdict(0.91, True, "checks", "nothing is plainly wrong", Cost(0.00001), 1.2),) if cheap else ()
    attempt = Attempt(
        model,
        tier,
        AttemptStatus.ERROR if failed else AttemptStatus.OK,
        503 if failed else 200,
        "upstream_busy" if failed else None,
        usage,
        cost(model),
        None if failed else 200.0 + 300 * rng.random(),
        700.0 + 900 * rng.random(),
        () if failed else verdicts,
    )
    return Record(
        request_id=request_id,
        created_at=at,
        endpoint="/v1/chat/completions",
        dialect=Dialect.OPENAI_CHAT,
        requested_model=requested,
        status="error" if failed else "ok",
        http_status=503 if failed else 200,
        decision=decision,
        attempts=(attempt,),
        usage=usage,
        cost=cost(model),
        baseline_model="large",
        baseline_cost=cost("large"),
        judge_cost_usd=sum(verdict.cost.usd or 0.0 for verdict in attempt.verdicts),
        stream=rng.random() < 0.5,
        session_id=session_id or (f"session-{number % 17}" if number % 3 else None),
        key_id=key_id or ("alice", "bob", "ci")[number % 3],
        tags=tuple(tags) or (("support",) if number % 4 == 0 else ()),
        decide_ms=0.3 + rng.expovariate(1.5),
        first_byte_ms=attempt.first_byte_ms,
        total_ms=attempt.total_ms,
        error=error or ("upstream_busy" if failed else None),
        prompt_json=prompt,
        answer_text=answer,
    )


def priced(model: str, usage: Usage) -> float:
    """What a usage costs."""
    return IN_USD[model] * usage.input_tokens + OUT_USD[model] * usage.output_tokens
