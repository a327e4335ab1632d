"""Judges that say what they are told to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from pointsman.vocabulary import Answer, Cost, Request, Verdict


@dataclass
class FakeJudge:
    """An `AnswerJudge`.

    Attributes:
        p_good: what every answer is worth, or how that follows from the answer.
        p_early: the same for the beginning of a stream; None means `p_good`.
        fault: what is plainly wrong with an answer; None when nothing is.
        error: raised in place of a verdict.
        seen: every answer that was judged with its model, and whether it was a beginning.
    """

    p_good: float | Callable[[Answer], float] = 1.0
    p_early: float | None = None
    fault: Callable[[Answer], str | None] = lambda answer: None
    error: Exception | None = None
    wants_logprobs: bool = False
    name: str = "fake judge"
    seen: list[tuple[str, Answer, bool]] = field(default_factory=list)

    def judge(
        self, request: Request, answer: Answer, *, model: str, p_ahead: float | None = None, early: bool = False
    ) -> Verdict:
        """See `AnswerJudge.judge`."""
        self.seen.append((model, answer, early))
        if self.error is not None:
            raise self.error
        fault = self.fault(answer)
        if fault is not None:
            return Verdict(0.0, False, self.name, fault)
        if early and self.p_early is not None:
            return Verdict(self.p_early, True, self.name, "told so")
        return Verdict(self.p_good(answer) if callable(self.p_good) else self.p_good, True, self.name, "told so")


@dataclass
class FakeAskedJudge:
    """An `AskedJudge`.

    Attributes:
        cost: of each verdict.
        error: raised in place of a verdict.
        never: it takes for ever.
        n_asked: how often it was asked.
    """

    p_good: float = 1.0
    cost: Cost = field(default_factory=lambda: Cost(0.001))
    error: Exception | None = None
    never: bool = False
    name: str = "fake asked judge"
    n_asked: int = 0

    async def judge(self, request: Request, answer: Answer, *, model: str) -> Verdict:
        """See `AskedJudge.judge`."""
        self.n_asked += 1
        if self.never:
            await asyncio.get_running_loop().create_future()
        if self.error is not None:
            raise self.error
        return Verdict(self.p_good, True, self.name, "told so", self.cost)
