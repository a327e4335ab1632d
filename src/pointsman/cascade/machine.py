"""The course of one cascade: events in, actions out; no I/O, no clock, no judge.

Of each rung of the plan:

    IDLE ─Call→ CALLED ─Begun→ BEGUN ─Readable→ READ ─Judged→ REJECTED | Serve
                   └──────┴───────┴─Failed→ FAILED            any of them ─Drop→ DROPPED

Judged rungs are read by the runner until there is something to judge. The last rung is served as it comes, once every
weaker rung has had its say, or time is up. What the runner hands in and gets back:

    event      meaning                                              answered with
    Begun      a call was answered: its first event, or all of it   Serve the last rung, or nothing yet
    Readable   an answer, or its beginning, is there to be judged   Judge
    Judged     a verdict; a course may say what follows             Serve, Ask, Call the next, Drop the rest
    Unjudged   the judge failed or was too slow                     as a verdict, by `when_judge_fails`
    Failed     the call led to nothing that can be served           Call the next, or Serve the best that was rejected
    TimeUp     the latency budget is used up                        Call or Serve the strongest
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal, TypeAlias

from pointsman.vocabulary import CascadePlan, Cost, Course, Rated, Verdict

from .options import best_option

WhenJudgeFails: TypeAlias = Literal["accept", "escalate"]
Code: TypeAlias = Literal["accepted", "escalated", "cascade"]
"""How a cascade ended: with the first answer that was judged, after another had led to nothing, or with the last rung
at once."""


class State(Enum):
    """Where one rung stands."""

    IDLE = "idle"
    CALLED = "called"
    BEGUN = "begun"
    READ = "read"
    REJECTED = "rejected"
    FAILED = "failed"
    DROPPED = "dropped"
    SERVED = "served"


_RUNNING = frozenset({State.CALLED, State.BEGUN, State.READ})


# ---------------------------------------------------------------- events


@dataclass(frozen=True, slots=True)
class Begun:
    """A call was answered. `whole`: nothing is left to be paid for."""

    rung: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Readable:
    """There is something to judge: a whole answer, or with `early` its beginning."""

    rung: int
    early: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """A judge's verdict, before any threshold."""

    rung: int
    verdict: Verdict
    early: bool = False
    asked: bool = False
    """It came from the judge that is asked when the free one is unsure."""
    text: str = ""
    """The answer's, for a course that sets answers side by side."""
    cost_usd: float | None = None
    """Of its call; None when not known."""


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A judge failed, or took too long."""

    rung: int
    judge: str
    why: str
    early: bool = False
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """A call led to nothing that can be served: no answer, a refusal, one that broke off or cannot be read."""

    rung: int
    why: str
    """A code of `pointsman.errors`, or "refused"."""


@dataclass(frozen=True, slots=True)
class TimeUp:
    """The latency budget is used up."""


Event: TypeAlias = Begun | Readable | Judged | Unjudged | Failed | TimeUp


# ---------------------------------------------------------------- actions


@dataclass(frozen=True, slots=True)
class Call:
    """Call this rung; where `judged`, read its answer too."""

    rung: int
    judged: bool


@dataclass(frozen=True, slots=True)
class Judge:
    """Judge what is there of this rung's answer."""

    rung: int
    early: bool


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the judge that costs something."""

    rung: int


@dataclass(frozen=True, slots=True)
class Drop:
    """Cancel this rung's call; its answer is not wanted any more."""

    rung: int


@dataclass(frozen=True, slots=True)
class Serve:
    """Give the client this rung's answer. Always the last action."""

    rung: int
    code: Code
    why: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Nothing can be served. Always the last action."""


Action: TypeAlias = Call | Judge | Ask | Drop | Serve | GiveUp


# ---------------------------------------------------------------- the machine


class Cascade:
    """One request's course over the rungs of its plan.

    Args:
        ask_between: the free judge's P(good) from which (included) to which (not) the other judge is asked; None asks
            nobody.
        when_judge_fails: what becomes of an answer that could not be judged.
        course: says what follows a sound answer, in place of the plan's thresholds.

    Attributes:
        states: of each rung.
        verdicts: of each rung, in order, with what came of them.
    """

    def __init__(
        self,
        plan: CascadePlan,
        *,
        ask_between: tuple[float, float] | None = None,
        when_judge_fails: WhenJudgeFails = "escalate",
        course: Course | None = None,
    ) -> None:
        self.plan = plan
        self._course = course
        self._rated: dict[int, Rated] = {}
        self.states = [State.IDLE] * len(plan.rungs)
        self.verdicts: list[list[Verdict]] = [[] for _ in plan.rungs]
        self._ask_between = ask_between
        self._when_judge_fails = when_judge_fails
        self._last = len(plan.rungs) - 1
        self._time_is_up = False
        self._whys: list[str] = []
        self._sound: dict[int, float] = {}

    # ------------------------------------------------------------ in and out

    def start(self) -> list[Action]:
        """The first actions."""
        first: int | None = self.plan.first
        if self._course is None and self.plan.quality_per_usd is not None:
            first = best_option(self.plan, None, self._idle())
        assert first is not None, "with nothing to stop at, something is called"
        actions = self._call(first)
        if self.plan.race and first != self._last:
            actions += self._call(self._last)
        return actions

    def on(self, event: Event) -> list[Action]:
        """The actions that an event leads to; none for an event of a rung that is settled."""
        if isinstance(event, TimeUp):
            return self._on_time_up()
        if self.states[event.rung] not in _RUNNING:
            return []
        match event:
            case Begun(rung, whole):
                self.states[rung] = State.BEGUN
                return self._on_begun(rung, whole)
            case Readable(rung, early):
                self.states[rung] = State.READ
                return [Judge(rung, early)]
            case Judged():
                return self._on_judged(event)
            case Unjudged():
                return self._on_unjudged(event)
            case Failed(rung, why):
                self.states[rung] = State.FAILED
                self._whys.append(f"{self._tier(rung)} failed ({why})")
                return self._move_on()

    # ------------------------------------------------------------ what each event means

    def _on_begun(self, rung: int, whole: bool) -> list[Action]:
        if rung != self._last:
            return []
        if whole or self._time_is_up or not any(self.states[other] in _RUNNING for other in range(rung)):
            return self._serve_last()
        return []

    def _on_judged(self, event: Judged) -> list[Action]:
        rung, verdict = event.rung, event.verdict
        rule = self.plan.rungs[rung]
        least = 0.0 if rule.accept_at is None else rule.accept_at
        enough = verdict.accepted and verdict.p_good >= least
        if not event.early and not event.asked and verdict.accepted and self._is_unsure(verdict.p_good):
            self.verdicts[rung].append(replace(verdict, accepted=enough))
            return [Ask(rung)]
        if self._course is not None and not event.early:
            p_good = verdict.p_good if verdict.accepted else 0.0
            self._rated[rung] = Rated(rung, p_good, event.text, event.cost_usd)
            if verdict.accepted:
                return self._steer(self._course, rung, verdict)
        elif enough and not event.early and self.plan.quality_per_usd is not None:
            return self._weigh(rung, verdict)
        self.verdicts[rung].append(replace(verdict, accepted=enough))
        if enough:
            seen = "the beginning of its answer, " if event.early else ""
            return self._accept(rung, f"{seen}P(good) {verdict.p_good:.2f}, at or above {least:.2f}")
        what = f"P(good) {verdict.p_good:.2f} below {least:.2f}" if verdict.accepted else verdict.reason
        return self._reject(rung, what, verdict.p_good if verdict.accepted else None, early=event.early)

    def _weigh(self, rung: int, verdict: Verdict) -> list[Action]:
        """Cascade routing: stops with the best answer so far, or goes on where that is worth more."""
        p_best = max((verdict.p_good, *self._sound.values()))
        stops = best_option(self.plan, p_best, self._idle()) is None
        best = p_best == verdict.p_good
        self.verdicts[rung].append(replace(verdict, accepted=stops and best))
        if stops and best:
            return self._accept(rung, f"P(good) {p_best:.2f}, and more is not worth its price")
        what = "more is worth its price" if not stops else f"{p_best:.2f} is there already"
        return self._reject(rung, f"P(good) {verdict.p_good:.2f}, and {what}", verdict.p_good, early=False)

    def _steer(self, course: Course, rung: int, verdict: Verdict) -> list[Action]:
        """Does what the course says after a sound answer."""
        step = course.next(tuple(self._rated.values()), self._open())
        told = f"P(good) {verdict.p_good:.2f}, {step.why}"
        accepted = step.call is None and step.serve == rung
        self.verdicts[rung].append(replace(verdict, accepted=accepted))
        if accepted:
            return self._accept(rung, told)
        self._whys.append(f"{self._tier(rung)}: {told}")
        self.states[rung] = State.REJECTED
        self._sound[rung] = verdict.p_good
        if step.call is None:
            return self._serve_best(step.serve)
        return self._go(step.call)

    def _go(self, rung: int) -> list[Action]:
        """Calls a rung, or waits for it where a race has called it already."""
        if self.states[rung] is State.IDLE:
            return self._call(rung)
        return self._serve_last() if self.states[rung] is State.BEGUN else []

    def _open(self) -> list[int]:
        """The rungs that may still answer: those not called, and the last where a race has called it."""
        last = [self._last] if self.states[self._last] in _RUNNING else []
        return [*self._idle(), *last]

    def _on_unjudged(self, event: Unjudged) -> list[Action]:
        rung = event.rung
        accepted = self._when_judge_fails == "accept"
        cost = Cost(None, event.why) if event.asked else Cost(0.0)
        self.verdicts[rung].append(Verdict(math.nan, accepted, event.judge, event.why, cost))
        if accepted:
            return self._accept(rung, f"unjudged ({event.why})")
        return self._reject(rung, f"unjudged ({event.why})", 0.0, early=event.early)

    def _on_time_up(self) -> list[Action]:
        self._time_is_up = True
        last = self._last
        if self.states[last] is State.BEGUN:
            return self._serve_last()
        if self.states[last] is State.IDLE and any(self.states[rung] in _RUNNING for rung in range(last)):
            return self._call(last)
        return []

    # ------------------------------------------------------------ what to do

    def _accept(self, rung: int, why: str) -> list[Action]:
        why = f"{self._tier(rung)}: {why}"
        if self._whys:
            return self._serve(rung, "escalated", f"escalated: {'; '.join(self._whys)}; accepted {why}")
        return self._serve(rung, "accepted", f"accepted: {why}")

    def _reject(self, rung: int, what: str, p_good: float | None, *, early: bool) -> list[Action]:
        """Goes on without this answer. It is kept, with its `p_good`, unless something is plainly wrong with it."""
        self._whys.append(f"{self._tier(rung)}: {what}")
        self.states[rung] = State.REJECTED
        if early:
            return [Drop(rung), *self._move_on()]
        if p_good is not None:
            self._sound[rung] = p_good
        return self._move_on()

    def _move_on(self) -> list[Action]:
        """What follows when a rung has led to nothing."""
        running = [rung for rung, state in enumerate(self.states) if state in _RUNNING]
        if running == [self._last] and self.states[self._last] is State.BEGUN:
            return self._serve_last()
        if running:
            return []
        idle = self._idle()
        if not idle:
            return self._serve_best()
        following = idle[0]
        if self._course is not None:
            step = self._course.next(tuple(self._rated.values()), idle)
            if step.call is None and step.serve in self._sound:
                return self._serve_best(step.serve)
            following = idle[-1] if step.call is None else step.call
        elif self.plan.quality_per_usd is not None:
            chosen = best_option(self.plan, max(self._sound.values(), default=None), idle)
            if chosen is None and self._sound:
                return self._serve_best()
            following = idle[-1] if chosen is None else chosen
        return self._call(following)

    def _serve_last(self) -> list[Action]:
        tier = self._tier(self._last)
        late = "not judged in time" if self._time_is_up else f"{tier} was done before it"
        running = [rung for rung in range(self._last) if self.states[rung] in _RUNNING]
        whys = [*self._whys, *(f"{self._tier(rung)}: {late}" for rung in running)]
        if whys:
            return self._serve(self._last, "escalated", f"escalated: {'; '.join(whys)}; so {tier}")
        return self._serve(self._last, "cascade", f"{tier} at once")

    def _serve_best(self, rung: int | None = None) -> list[Action]:
        """The best answer that was rejected (`rung` where a course says which), when nothing else came; never one that
        is plainly wrong."""
        if not self._sound:
            return [GiveUp()]
        best = rung if rung is not None and rung in self._sound else max(self._sound, key=self._sound.__getitem__)
        return self._serve(
            best, "accepted", f"accepted: {self._tier(best)}, the best there is; {'; '.join(self._whys)}"
        )

    def _serve(self, rung: int, code: Code, why: str) -> list[Action]:
        actions: list[Action] = [
            Drop(other) for other, state in enumerate(self.states) if other != rung and state in _RUNNING
        ]
        for drop in actions:
            assert isinstance(drop, Drop)
            self.states[drop.rung] = State.DROPPED
        self.states[rung] = State.SERVED
        return [*actions, Serve(rung, code, why)]

    def _call(self, rung: int) -> list[Action]:
        self.states[rung] = State.CALLED
        return [Call(rung, judged=rung != self._last)]

    def _idle(self) -> list[int]:
        return [rung for rung, state in enumerate(self.states) if state is State.IDLE]

    def _is_unsure(self, p_good: float) -> bool:
        return self._ask_between is not None and self._ask_between[0] <= p_good < self._ask_between[1]

    def _tier(self, rung: int) -> str:
        return self.plan.rungs[rung].tier
