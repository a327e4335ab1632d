"""The breaker's table, walked by hand and at random."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.call.breaker import TRANSITIONS, Breaker, BreakerPolicy, Event, Permit, State

POLICY = BreakerPolicy(failures=3, open_s=5.0, max_open_s=20.0)


def opened(now_s: float = 0.0) -> Breaker:
    breaker = Breaker(POLICY)
    for _ in range(POLICY.failures):
        breaker.failed(Permit.CALL, now_s)
    return breaker


def test_it_opens_at_the_threshold_and_not_before() -> None:
    breaker = Breaker(POLICY)
    breaker.failed(Permit.CALL, 0.0)
    breaker.failed(Permit.CALL, 0.0)
    assert (breaker.state, breaker.ask(0.0)) == (State.CLOSED, Permit.CALL)
    breaker.failed(Permit.CALL, 0.0)
    assert (breaker.state, breaker.ask(0.0), breaker.free_in_s(1.0)) == (State.OPEN, None, 4.0)


def test_an_answer_that_came_whole_ends_the_row_of_failures_and_one_that_only_began_does_not() -> None:
    breaker = Breaker(POLICY)
    for _ in range(2):
        breaker.failed(Permit.CALL, 0.0)
        breaker.answered(Permit.CALL)
    assert breaker.n_failures == 2
    breaker.done()
    assert breaker.n_failures == 0


def test_after_its_time_exactly_one_probe_goes_through() -> None:
    breaker = opened()
    assert breaker.ask(4.9) is None
    assert [breaker.ask(5.0) for _ in range(3)] == [Permit.PROBE, None, None]
    breaker.answered(Permit.PROBE)
    assert (breaker.state, breaker.ask(5.0)) == (State.CLOSED, Permit.CALL)


def test_each_probe_that_fails_doubles_the_time_up_to_the_longest() -> None:
    breaker, now_s, waited = opened(), 0.0, []
    for _ in range(4):
        wait_s = breaker.free_in_s(now_s)
        waited.append(wait_s)
        now_s += wait_s
        assert breaker.ask(now_s) is Permit.PROBE
        breaker.failed(Permit.PROBE, now_s)
    assert waited == [5.0, 10.0, 20.0, 20.0]


def test_after_a_probe_one_failure_opens_it_again_until_an_answer_came_whole() -> None:
    breaker = opened()
    assert breaker.ask(5.0) is Permit.PROBE
    breaker.answered(Permit.PROBE)
    breaker.failed(Permit.CALL, 6.0)
    assert breaker.state is State.OPEN


def test_a_probe_whose_client_left_frees_the_next_one_at_once() -> None:
    breaker = opened()
    assert breaker.ask(5.0) is Permit.PROBE
    breaker.abandoned(Permit.PROBE, 6.0)
    assert (breaker.state, breaker.ask(6.0)) == (State.OPEN, Permit.PROBE)


def test_calls_that_began_before_it_opened_change_nothing() -> None:
    breaker = opened()
    breaker.answered(Permit.CALL)
    breaker.failed(Permit.CALL, 1.0)
    breaker.done()
    assert (breaker.state, breaker.free_in_s(1.0)) == (State.OPEN, 4.0)


def test_a_pause_that_was_asked_for_opens_nothing_and_the_longest_counts() -> None:
    breaker = Breaker(POLICY)
    breaker.rest(2.0, 0.0)
    breaker.rest(1.0, 0.0)
    assert (breaker.state, breaker.ask(1.9), breaker.resting(1.9)) == (State.CLOSED, None, True)
    assert (breaker.ask(2.0), breaker.resting(2.0)) == (Permit.CALL, False)


steps = st.lists(
    st.tuples(st.sampled_from(["ask", "fail", "answer", "done", "abandon", "rest"]), st.floats(0.0, 30.0)), max_size=60
)


@given(steps)
def test_whatever_happens_there_is_never_a_second_probe_and_it_never_stays_shut(walk: list[tuple[str, float]]) -> None:
    breaker, now_s, probing, permits = Breaker(POLICY), 0.0, False, list[Permit]()
    for what, seconds in walk:
        now_s += seconds
        if what == "ask":
            permit = breaker.ask(now_s)
            if permit is not None:
                assert not (permit is Permit.PROBE and probing)
                probing = probing or permit is Permit.PROBE
                permits.append(permit)
        elif what in ("fail", "answer", "abandon") and permits:
            permit = permits.pop()
            if what == "fail":
                breaker.failed(permit, now_s)
            elif what == "answer":
                breaker.answered(permit)
            else:
                breaker.abandoned(permit, now_s)
            probing = probing and permit is not Permit.PROBE
        elif what == "done":
            breaker.done()
        elif what == "rest":
            breaker.rest(seconds, now_s)
        assert (breaker.state is State.PROBING) == probing
        assert 0.0 <= breaker.free_in_s(now_s) <= 60.0
    if not probing:
        assert breaker.ask(now_s + breaker.free_in_s(now_s)) is not None


@pytest.mark.parametrize("state", State)
def test_every_state_can_be_left(state: State) -> None:
    assert any(before is state and after is not state for (before, _), after in TRANSITIONS.items())
    assert {event for _, event in TRANSITIONS} == set(Event)
