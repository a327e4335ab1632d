"""Which model is called next: the rules of a course, one by one, without any I/O."""

from __future__ import annotations

import pytest

from pointsman.call.breaker import BreakerPolicy, State
from pointsman.call.course import Course, Pause, Try
from pointsman.call.health import Health
from pointsman.call.refusals import CONTEXT, QUOTA, Kind, kind_of, reason_of
from pointsman.call.retry import RetryPolicy
from pointsman.errors import (
    UpstreamBroken,
    UpstreamBusy,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from pointsman.vocabulary import Capabilities, Model


def model(name: str, window: int | None = None) -> Model:
    return Model(name, "openai", name, {}, capabilities=Capabilities(context_window_tokens=window))


def refused(status: int, *, wait_s: float | None = None, reason: str | None = None) -> UpstreamRefused:
    return UpstreamRefused("no", model="a", upstream_status=status, retry_after_s=wait_s, reason=reason)


A, B, C = model("a"), model("b"), model("c")
REFUSED_CONNECTION = UpstreamUnreachable("no", model="a")
UNTRUSTED = UpstreamUnreachable("no", model="a", retryable=False)
SILENT = UpstreamTimeout("no", model="a")
BLACK_HOLE = UpstreamTimeout("no", model="a", connected=False)
BROKEN = UpstreamBroken("no", model="a")
REDIRECT = UpstreamBroken("no", model="a", retryable=False)


class Walk:
    """Walks a course in which every call of a model fails in the same way, or (None) is answered."""

    def __init__(self, health: Health | None = None, **retry: float) -> None:
        self.health = Health(RetryPolicy(**retry)) if health is None else health  # type: ignore[arg-type]
        self.now_s = 0.0
        self.waits: list[float] = []

    def __call__(self, *models: Model, **failures: UpstreamError | None) -> str:
        course = Course(models, self.health, now_s=self.now_s, random=lambda: 1.0)
        called = ""
        while (step := course.next(self.now_s)) is not None:
            if isinstance(step, Pause):
                self.waits.append(step.seconds)
                self.now_s += step.seconds
                continue
            called += step.model.name
            failure = failures[step.model.name]
            if failure is None:
                course.answered()
                course.ended(True, self.now_s, "ok")
                break
            course.failed(failure, self.now_s)
        course.close()
        assert (self.health.budget.n_live, self.health.budget.n_retrying) == (0, 0)
        return called


@pytest.mark.parametrize(
    ("failure", "alone", "with_b"),
    [
        (refused(500), "aa", "aab"),
        (refused(502), "aa", "aab"),
        (refused(408), "aa", "aab"),
        (refused(409), "aa", "aab"),
        (BROKEN, "aa", "aab"),
        (refused(503), "aa", "ab"),
        (refused(529), "aa", "ab"),
        (refused(429), "aa", "ab"),
        (REFUSED_CONNECTION, "aa", "ab"),
        (BLACK_HOLE, "aa", "ab"),
        (SILENT, "a", "ab"),
        (UNTRUSTED, "a", "ab"),
        (REDIRECT, "a", "ab"),
        (refused(401), "a", "ab"),
        (refused(403), "a", "ab"),
        (refused(404), "a", "ab"),
        (refused(402), "a", "ab"),
        (refused(429, reason=QUOTA), "a", "ab"),
        (UpstreamBusy("no", model="a"), "a", "ab"),
    ],
    ids=lambda value: str(kind_of(value)) if isinstance(value, UpstreamError) else "",
)
def test_the_same_model_again_another_one_or_neither(failure: UpstreamError, alone: str, with_b: str) -> None:
    assert Walk()(A, a=failure) == alone
    walk = Walk()
    assert walk(A, B, a=failure, b=None) == with_b
    assert walk.waits == ([0.1] if with_b == "aab" else []), "another model is called at once"


def test_attempts_are_bounded_over_all_models() -> None:
    failures = {name: refused(500) for name in "abc"}
    assert Walk()(A, B, C, **failures) == "aabb"
    assert Walk(max_attempts=2)(A, B, C, **failures) == "aa"
    assert Walk(attempts_per_model=1)(A, B, C, **failures) == "abc"
    assert Walk(attempts_per_model=3)(A, B, a=failures["a"], b=None) == "aaab"


def test_no_call_begins_after_the_deadline() -> None:
    walk = Walk(give_up_after_s=0.05)
    assert walk(A, a=refused(500)) == "a", "the wait of 0.1 s would be too long"


@pytest.mark.parametrize(("asked_s", "called", "waits"), [(1.0, "aa", [1.01]), (2.5, "a", []), (3600.0, "a", [])])
def test_a_pause_that_an_upstream_asks_for_is_kept_but_not_beyond_the_cap(
    asked_s: float, called: str, waits: list[float]
) -> None:
    walk = Walk()
    assert walk(A, a=refused(429, wait_s=asked_s)) == called
    assert walk.waits == waits


def test_a_model_that_asked_for_a_pause_is_passed_over_and_its_breaker_stays_closed() -> None:
    walk = Walk()
    for _ in range(20):
        assert walk(A, B, a=refused(429, wait_s=30.0), b=None) in ("ab", "b")
    assert walk.health.of(A).state is State.CLOSED
    assert walk.health.counts.attempts["a", "rate_limited"] == 1
    walk.now_s = 30.0
    assert walk(A, B, a=None, b=None) == "a"


def test_a_model_that_fails_in_a_row_is_passed_over_then_probed_once() -> None:
    walk = Walk(Health(breaker=BreakerPolicy(failures=3, open_s=5.0)))
    for _ in range(3):
        assert walk(A, B, a=SILENT, b=None) == "ab"
    assert walk(A, B, a=SILENT, b=None) == "b"
    walk.now_s += 5.0
    first, second = (Course((A, B), walk.health, now_s=walk.now_s, random=lambda: 0.0) for _ in range(2))
    assert (first.next(walk.now_s), second.next(walk.now_s)) == (Try(A), Try(B))
    first.answered()
    first.ended(True, walk.now_s, "ok")
    first.close()
    second.abandoned(walk.now_s)
    second.close()
    assert walk(A, B, a=None, b=None) == "a"


def test_when_every_breaker_is_open_nothing_is_called_and_the_error_says_when_to_come_back() -> None:
    walk = Walk(Health(RetryPolicy(attempts_per_model=1), BreakerPolicy(failures=1, open_s=5.0)))
    assert walk(A, B, a=SILENT, b=SILENT) == "ab"
    assert walk(A, B, a=SILENT, b=SILENT) == ""
    error = Course((A, B), walk.health, now_s=2.0, random=lambda: 0.0).paused(2.0)
    assert (error.status, error.retry_after_s) == (503, 3.0)
    assert walk.waits == []


def test_when_every_model_only_asked_for_a_pause_the_error_is_429() -> None:
    walk = Walk()
    assert walk(A, a=refused(429, wait_s=7.0)) == "a"
    error = Course((A,), walk.health, now_s=1.0, random=lambda: 0.0).paused(1.0)
    assert (error.status, error.retry_after_s) == (429, 6.0)


def test_retries_stop_at_a_fifth_of_the_requests_under_way_and_fallbacks_do_not() -> None:
    health = Health(RetryPolicy(budget_floor=0), BreakerPolicy(failures=1_000))
    alone = [Course((A,), health, now_s=0.0, random=lambda: 0.0) for _ in range(49)]
    for course in alone:
        assert course.next(0.0) == Try(A)
        course.failed(refused(500), 0.0)
    assert sum(isinstance(course.next(0.0), Pause) for course in alone) == 10
    assert health.budget.n_refused == 39
    spared = Course((A, B), health, now_s=0.0, random=lambda: 0.0)
    assert spared.next(0.0) == Try(A)
    spared.failed(refused(500), 0.0)
    assert spared.next(0.0) == Try(B)
    for course in (*alone, spared):
        course.close()
    assert (health.budget.n_live, health.budget.n_retrying) == (0, 0)


def test_a_request_that_is_too_long_goes_to_models_with_a_larger_window_only() -> None:
    small, same, large, unknown = model("s", 1_000), model("t", 1_000), model("l", 9_000), model("u")
    too_long = refused(400, reason=CONTEXT)
    assert Walk()(small, same, unknown, large, s=too_long, l=None) == "sl"
    assert Walk()(small, same, s=too_long) == "s"


def test_a_break_in_mid_answer_counts_against_the_model() -> None:
    health = Health(breaker=BreakerPolicy(failures=2))
    for _ in range(2):
        course = Course((A,), health, now_s=0.0, random=lambda: 0.0)
        course.next(0.0)
        course.answered()
        course.ended(False, 0.0, "incomplete")
        course.close()
    assert health.of(A).state is State.OPEN
    assert health.counts.attempts == {("a", "incomplete"): 2}


def test_counts_tell_retries_fallbacks_and_models_passed_over() -> None:
    walk = Walk(Health(breaker=BreakerPolicy(failures=2)))
    assert walk(A, B, a=refused(500), b=None) == "aab"
    assert walk(A, B, a=refused(500), b=None) == "b"
    counts = walk.health.counts
    assert (counts.retries, counts.fallbacks, counts.skipped) == ({"a": 1}, {"b": 2}, {"a": 1})
    assert counts.attempts == {("a", "fault"): 2, ("b", "ok"): 2}


def test_a_model_that_is_configured_anew_starts_with_a_clean_slate_and_others_keep_theirs() -> None:
    walk = Walk(Health(breaker=BreakerPolicy(failures=1)))
    assert walk(A, B, a=SILENT, b=SILENT) == "ab"
    assert walk.health.of(model("a")).state is State.OPEN, "equal, though another object"
    assert walk.health.of(model("a", 5)).state is State.CLOSED
    walk.health.follow(RetryPolicy(), BreakerPolicy(failures=1), [B])
    assert walk.health.of(B).state is State.OPEN
    walk.health.follow(RetryPolicy(), BreakerPolicy(failures=2), [B])
    assert walk.health.of(B).state is State.CLOSED


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (429, b'{"error":{"message":"You exceeded your quota","code":"insufficient_quota"}}', QUOTA),
        (429, b'{"error":{"message":"slow down","code":"rate_limit_exceeded"}}', None),
        (400, b'{"type":"error","error":{"message":"Your credit balance is too low to access"}}', QUOTA),
        (400, b'{"error":{"message":"x","code":"context_length_exceeded"}}', CONTEXT),
        (400, b'{"error":{"message":"This model\'s maximum context length is 8192 tokens"}}', CONTEXT),
        (400, b'{"type":"error","error":{"message":"prompt is too long: 210000 tokens > 200000 maximum"}}', CONTEXT),
        (400, b'{"error":{"message":"bad schema","code":"invalid_value"}}', None),
        (400, b"<html>", None),
        (400, b'{"error":"prompt is too long"}', None),
        (500, b'{"error":{"code":"insufficient_quota"}}', None),
    ],
)
def test_what_an_error_body_says(status: int, body: bytes, reason: str | None) -> None:
    assert reason_of(status, body) == reason


def test_alerts_are_counted_always_and_told_once_a_minute() -> None:
    health = Health()
    assert [health.alert("a", Kind.KEY_REFUSED, at) for at in (0.0, 1.0, 59.0, 60.0)] == [True, False, False, True]
    assert health.counts.alerts["a", "key_refused"] == 4
