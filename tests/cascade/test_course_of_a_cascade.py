"""The machine by hand, and for any order of events: it always ends with one answer or none, and never calls twice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.cascade.machine import (
    Action,
    Ask,
    Begun,
    Call,
    Cascade,
    Drop,
    Event,
    Failed,
    GiveUp,
    Judge,
    Judged,
    Readable,
    Serve,
    State,
    TimeUp,
    Unjudged,
)
from pointsman.cascade.options import best_option
from pointsman.vocabulary import CascadeMode, CascadePlan, NextStep, Rated, Rung, Verdict


def plan(*accept_at: float, race: bool = False, quality_per_usd: float | None = None) -> CascadePlan:
    """A chain of rungs "t0", "t1" … and "last", which cost 1, 2, 3 … cents."""
    ahead = (0.5, 0.7, 0.8)
    rungs = [
        Rung(f"t{n}", (f"m{n}",), least, ahead[n], estimated_cost_usd=0.01 * (n + 1))
        for n, least in enumerate(accept_at)
    ]
    last = Rung("last", ("big",), None, 1.0, estimated_cost_usd=0.01 * (len(rungs) + 1))
    mode = CascadeMode.RACE if race else CascadeMode.BUFFER
    return CascadePlan((*rungs, last), mode=mode, race=race, quality_per_usd=quality_per_usd)


def says(p_good: float, *, sound: bool = True) -> Verdict:
    return Verdict(p_good, sound, "by hand", "told so" if sound else "is empty")


def read_and(cascade: Cascade, rung: int, p_good: float, *, sound: bool = True) -> list[Action]:
    """A rung's whole answer comes, and is judged."""
    assert cascade.on(Begun(rung, whole=False)) == []
    assert cascade.on(Readable(rung, early=False)) == [Judge(rung, early=False)]
    return cascade.on(Judged(rung, says(p_good, sound=sound)))


def test_the_first_answer_that_is_good_enough_is_served() -> None:
    cascade = Cascade(plan(0.6))
    assert cascade.start() == [Call(0, judged=True)]
    assert read_and(cascade, 0, 0.6) == [
        Serve(0, "accepted", "accepted: t0: P(good) 0.60, at or above 0.60"),
    ]
    assert cascade.verdicts[0] == [says(0.6)]


def test_each_rung_has_its_own_threshold_and_the_last_none() -> None:
    cascade = Cascade(plan(0.6, 0.9))
    cascade.start()
    assert read_and(cascade, 0, 0.59) == [Call(1, judged=True)]
    assert read_and(cascade, 1, 0.89) == [Call(2, judged=False)]
    (serve,) = cascade.on(Begun(2, whole=False))
    assert serve == Serve(
        2, "escalated", "escalated: t0: P(good) 0.59 below 0.60; t1: P(good) 0.89 below 0.90; so last"
    )
    assert [[verdict.accepted for verdict in each] for each in cascade.verdicts] == [[False], [False], []]


def test_a_call_that_fails_is_followed_by_the_next() -> None:
    cascade = Cascade(plan(0.6))
    cascade.start()
    assert cascade.on(Failed(0, "upstream_timeout")) == [Call(1, judged=False)]
    (serve,) = cascade.on(Begun(1, whole=True))
    assert serve == Serve(1, "escalated", "escalated: t0 failed (upstream_timeout); so last")


def test_when_everything_fails_the_best_sound_answer_is_served_or_none() -> None:
    for p_good, sound, end in ((0.4, True, Serve), (0.4, False, GiveUp)):
        cascade = Cascade(plan(0.6))
        cascade.start()
        read_and(cascade, 0, p_good, sound=sound)
        (action,) = cascade.on(Failed(1, "upstream_unreachable"))
        assert isinstance(action, end)


def test_a_race_begins_both_and_drops_the_loser() -> None:
    cascade = Cascade(plan(0.6, race=True))
    assert cascade.start() == [Call(0, judged=True), Call(1, judged=False)]
    assert cascade.on(Begun(1, whole=False)) == []
    assert [type(action) for action in read_and(cascade, 0, 0.9)] == [Drop, Serve]
    cascade = Cascade(plan(0.6, race=True))
    cascade.start()
    drop, serve = cascade.on(Begun(1, whole=True))
    assert drop == Drop(0) and isinstance(serve, Serve) and serve.rung == 1
    cascade = Cascade(plan(0.6, race=True))
    cascade.start()
    assert read_and(cascade, 0, 0.1) == []
    (serve,) = cascade.on(Begun(1, whole=False))
    assert isinstance(serve, Serve) and serve.rung == 1


def test_time_that_is_up_calls_the_strongest_and_serves_what_comes_first() -> None:
    cascade = Cascade(plan(0.6, 0.6))
    cascade.start()
    assert cascade.on(TimeUp()) == [Call(2, judged=False)]
    assert read_and(cascade, 0, 0.7)[-1] == Serve(0, "accepted", "accepted: t0: P(good) 0.70, at or above 0.60")
    cascade = Cascade(plan(0.6, 0.6))
    cascade.start()
    cascade.on(TimeUp())
    drop, serve = cascade.on(Begun(2, whole=False))
    assert drop == Drop(0)
    assert serve == Serve(2, "escalated", "escalated: t0: not judged in time; so last")


def test_the_second_judge_is_asked_where_the_first_is_unsure() -> None:
    for p_good, asked in ((0.29, False), (0.3, True), (0.69, True), (0.7, False)):
        cascade = Cascade(plan(0.6), ask_between=(0.3, 0.7))
        cascade.start()
        assert (read_and(cascade, 0, p_good) == [Ask(0)]) is asked
    cascade = Cascade(plan(0.6), ask_between=(0.3, 0.7))
    cascade.start()
    read_and(cascade, 0, 0.5)
    (serve,) = cascade.on(Judged(0, says(0.65), asked=True))
    assert isinstance(serve, Serve)
    assert [verdict.accepted for verdict in cascade.verdicts[0]] == [False, True]


def test_an_answer_that_could_not_be_judged_is_accepted_or_not_as_told() -> None:
    cascade = Cascade(plan(0.6), when_judge_fails="accept")
    cascade.start()
    cascade.on(Readable(0, early=False))
    (serve,) = cascade.on(Unjudged(0, "judge", "it failed"))
    assert serve == Serve(0, "accepted", "accepted: t0: unjudged (it failed)")
    assert math.isnan(cascade.verdicts[0][0].p_good)
    cascade = Cascade(plan(0.6), when_judge_fails="escalate")
    cascade.start()
    cascade.on(Readable(0, early=False))
    assert cascade.on(Unjudged(0, "judge", "it failed")) == [Call(1, judged=False)]


def test_a_beginning_that_is_rejected_is_dropped_and_never_served() -> None:
    cascade = Cascade(plan(0.6))
    cascade.start()
    cascade.on(Readable(0, early=True))
    assert cascade.on(Judged(0, says(0.1), early=True)) == [Drop(0), Call(1, judged=False)]
    assert cascade.on(Failed(1, "upstream_broken")) == [GiveUp()]


def test_cascade_routing_calls_while_more_is_worth_its_price() -> None:
    """p ahead 0.5, 0.7, 1.0 for 1, 2 and 3 cents; at 10 a dollar: 0.40, 0.50 and 0.70 are worth it."""
    cascade = Cascade(plan(0.0, 0.0, quality_per_usd=10.0))
    assert cascade.start() == [Call(2, judged=False)]
    # At 40 a dollar: 0.1, -0.1, -0.2.
    cascade = Cascade(plan(0.0, 0.0, quality_per_usd=40.0))
    assert cascade.start() == [Call(0, judged=True)]
    # From 0.1 on: the middle is worth 0.7 - 0.8, the last 1.0 - 1.2, both less than stopping.
    assert isinstance(read_and(cascade, 0, 0.1)[-1], Serve)
    # At 21: 0.29, 0.28, 0.37; the last, then nothing. At 26: 0.24, 0.18, 0.22, and from 0.2 on 0.22 beats stopping.
    cascade = Cascade(plan(0.0, 0.0, quality_per_usd=26.0))
    assert cascade.start() == [Call(0, judged=True)]
    assert read_and(cascade, 0, 0.2) == [Call(2, judged=False)]


def test_an_option_without_an_estimate_is_passed_over_but_for_the_last() -> None:
    unknown = CascadePlan((Rung("a", ("a",), 0.5), Rung("b", ("b",), None)), quality_per_usd=1.0)
    assert best_option(unknown, None, [0, 1]) == 1
    assert best_option(unknown, 0.9, [0]) is None
    assert best_option(unknown, 1.0, [1]) is None


# ------------------------------------------------------------ any order of events

verdicts = st.builds(says, st.floats(0, 1), sound=st.booleans())


@given(
    data=st.data(),
    n=st.integers(1, 3),
    race=st.booleans(),
    rate=st.none() | st.floats(0, 200),
    asks=st.booleans(),
    when=st.sampled_from(["accept", "escalate"]),
)
def test_any_course_ends_with_one_answer_or_none(
    data: st.DataObject, n: int, race: bool, rate: float | None, asks: bool, when: str
) -> None:
    cascade = Cascade(
        plan(*[0.5] * n, race=race, quality_per_usd=rate),
        ask_between=(0.2, 0.8) if asks else None,
        when_judge_fails=when,  # type: ignore[arg-type]
    )
    called: list[int] = []
    due: dict[int, list[Event]] = {}
    pending = cascade.start()
    ended: Action | None = None
    up_at = data.draw(st.integers(0, 20))
    for step in range(100):
        for action in pending:
            assert ended is None, "an end is the last action"
            match action:
                case Call(rung):
                    called.append(rung)
                    due[rung] = [Begun(rung, data.draw(st.booleans()))]
                    if action.judged:
                        due[rung].append(Readable(rung, early=False))
                    if data.draw(st.booleans()):
                        n_before = data.draw(st.integers(0, 1))
                        due[rung] = [*due[rung][:n_before], Failed(rung, "upstream_broken")]
                case Judge(rung, early):
                    judged: Event = Judged(rung, data.draw(verdicts), early)
                    due[rung] = [judged if data.draw(st.booleans()) else Unjudged(rung, "j", "failed", early)]
                case Ask(rung):
                    due[rung] = [Judged(rung, data.draw(verdicts), asked=True)]
                case Drop(rung):
                    assert cascade.states[rung] in (State.DROPPED, State.REJECTED)
                    due.pop(rung, None)
                case Serve() | GiveUp():
                    ended = action
        if ended is not None:
            break
        ready = [rung for rung, events in due.items() if events]
        assert ready, "something is always under way until the end"
        if step == up_at:
            pending = cascade.on(TimeUp())
        else:
            pending = cascade.on(due[data.draw(st.sampled_from(ready))].pop(0))
    assert ended is not None
    assert len(called) == len(set(called))
    if isinstance(ended, Serve):
        assert ended.rung in called
        plainly_wrong = any(v.reason == "is empty" for v in cascade.verdicts[ended.rung])
        assert not plainly_wrong
        assert all(state not in (State.CALLED, State.BEGUN, State.READ) for state in cascade.states)


@pytest.mark.parametrize("event", [Begun(0, True), Readable(0, False), Judged(0, says(1.0)), Failed(0, "x")])
def test_an_event_of_a_rung_that_is_settled_means_nothing(event: Event) -> None:
    cascade = Cascade(plan(0.6))
    cascade.start()
    read_and(cascade, 0, 0.1)
    assert cascade.on(event) == []


class Told:
    """A course that is told its steps, and keeps what it was asked."""

    def __init__(self, *steps: NextStep) -> None:
        self.steps = list(steps)
        self.asked: list[tuple[list[int], list[int]]] = []

    def next(self, answers: Sequence[Rated], idle: Sequence[int]) -> NextStep:
        self.asked.append(([rated.rung for rated in answers], list(idle)))
        return self.steps.pop(0)


def test_a_course_calls_serves_and_goes_back_to_an_earlier_answer() -> None:
    course = Told(NextStep(1, 0, "and t1 is worth its price"), NextStep(None, 0, "and t0's answer is likelier"))
    cascade = Cascade(plan(0.0, 0.0), course=course)
    assert cascade.start() == [Call(0, judged=True)]
    assert read_and(cascade, 0, 0.6) == [Call(1, judged=True)]
    (serve,) = read_and(cascade, 1, 0.2)
    assert isinstance(serve, Serve)
    assert serve.rung == 0
    assert course.asked == [([0], [1, 2]), ([0, 1], [2])]
    assert [[verdict.accepted for verdict in each] for each in cascade.verdicts] == [[False], [False], []]


def test_a_course_begins_where_its_plan_says() -> None:
    cascade = Cascade(replace(plan(0.0, 0.0), first=1), course=Told(NextStep(None, 1, "and that is enough")))
    assert cascade.start() == [Call(1, judged=True)]
    assert read_and(cascade, 1, 0.9) == [Serve(1, "accepted", "accepted: t1: P(good) 0.90, and that is enough")]


def test_what_is_plainly_wrong_is_rated_worthless_and_never_served_by_a_course() -> None:
    course = Told(NextStep(None, 0, "and more is not worth its price"))
    cascade = Cascade(plan(0.0), course=course)
    cascade.start()
    # It would stop with an answer that is broken: the last rung is called instead.
    assert read_and(cascade, 0, 0.9, sound=False) == [Call(1, judged=False)]
    assert course.asked == [([0], [1])]


def test_a_course_waits_for_the_strong_call_that_a_race_has_begun() -> None:
    course = Told(NextStep(1, 0, "and last is worth its price"))
    cascade = Cascade(plan(0.0, race=True), course=course)
    assert cascade.start() == [Call(0, judged=True), Call(1, judged=False)]
    assert read_and(cascade, 0, 0.3) == []
    assert course.asked == [([0], [1])]
    (serve,) = cascade.on(Begun(1, whole=False))
    assert isinstance(serve, Serve)
    assert serve.rung == 1


@given(st.lists(st.tuples(st.integers(0, 2), st.floats(0, 1), st.booleans(), st.booleans()), max_size=12), st.data())
def test_whatever_a_course_says_there_is_one_answer_or_none_and_no_second_call(
    told: list[tuple[int, float, bool, bool]], data: st.DataObject
) -> None:
    class Whatever:
        def next(self, answers: Sequence[Rated], idle: Sequence[int]) -> NextStep:
            call = data.draw(st.none() | st.sampled_from(idle)) if idle else None
            serve = data.draw(st.sampled_from([rated.rung for rated in answers])) if answers else None
            return NextStep(call, serve, "and so")

    cascade = Cascade(plan(0.0, 0.0), course=Whatever())
    todo, called, ended = cascade.start(), list[int](), 0
    for rung, p_good, sound, fails in told:
        for action in todo:
            called += [action.rung] if isinstance(action, Call) else []
            ended += isinstance(action, Serve | GiveUp)
        if ended:
            break
        event = Failed(rung, "upstream_timeout") if fails else Judged(rung, says(p_good, sound=sound))
        todo = cascade.on(event)
    assert len(set(called)) == len(called)
    assert ended <= 1
