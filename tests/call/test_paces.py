"""How long models take, by hand."""

from __future__ import annotations

import pytest

from pointsman.call.breaker import BreakerPolicy
from pointsman.call.health import Health
from pointsman.call.pace import N_KEPT, Paces
from pointsman.call.retry import RetryPolicy
from pointsman.vocabulary import Pace


def test_nine_in_ten_of_the_latest_answers_by_hand() -> None:
    paces = Paces()
    for number in range(1, 11):
        paces.note("small", stream=True, first_byte_ms=10.0 * number, whole_ms=110.0 * number, n_tokens=50)
    # Of ten answers the ninth is the least that nine do not exceed; 900 ms after the first byte for 50 tokens.
    found = paces.of("small", stream=True)
    assert found is not None
    assert (found.first_byte_ms, found.whole_ms) == (90.0, 990.0)
    assert found.ms_per_token == pytest.approx(18.0)


def test_few_answers_say_nothing_and_streams_say_nothing_of_whole_answers() -> None:
    paces = Paces()
    for _ in range(7):
        paces.note("small", stream=True, first_byte_ms=10, whole_ms=100, n_tokens=10)
    assert paces.of("small", stream=True) is None
    paces.note("small", stream=True, first_byte_ms=10, whole_ms=100, n_tokens=None)
    assert paces.of("small", stream=True) == Pace(10, 100, None)
    assert paces.of("small", stream=False) is None


def test_old_answers_are_forgotten_and_so_are_models_that_are_gone() -> None:
    health = Health()
    for whole_ms in [*[9_000.0] * N_KEPT, *[50.0] * N_KEPT]:
        health.paces.note("small", stream=False, first_byte_ms=whole_ms, whole_ms=whole_ms)
    assert health.paces.of("small", stream=False) == Pace(50, 50, None)
    health.follow(RetryPolicy(), BreakerPolicy(), [])
    assert health.paces.of("small", stream=False) is None
