"""Who is let in, who waits, and who is turned away."""

from __future__ import annotations

import asyncio
import time

import pytest

from pointsman.errors import Overloaded
from pointsman.gateway.turnstile import N_LAGS, Turnstile


def turnstile(limit: int = 1, waiting: int = 1, wait_s: float = 60.0) -> Turnstile:
    return Turnstile(limit, waiting, wait_s, max_lag_s=0.5)


async def waiting_at(gate: Turnstile, n: int = 1) -> list[asyncio.Task[None]]:
    tasks = [asyncio.ensure_future(gate.enter()) for _ in range(n)]
    await asyncio.sleep(0)
    assert gate.n_waiting == n
    return tasks


async def test_first_come_first_served_and_the_one_too_many_is_turned_away_at_once() -> None:
    gate = turnstile(waiting=2)
    await gate.enter()
    first, second = await waiting_at(gate, 2)
    with pytest.raises(Overloaded) as told:
        await gate.enter()
    assert (told.value.status, told.value.retry_after_s, gate.n_shed) == (503, 1.0, {"queue_full": 1})
    gate.leave()
    await first
    assert not second.done()
    gate.leave()
    await second
    gate.leave()
    assert (gate.n_inside, gate.n_waiting) == (0, 0)


async def test_a_turn_that_does_not_come_is_given_up() -> None:
    gate = turnstile(wait_s=0.01)
    await gate.enter()
    with pytest.raises(Overloaded, match=r"no turn came within 0\.01 s"):
        await gate.enter()
    gate.leave()
    assert (gate.n_inside, gate.n_waiting, gate.n_shed) == (0, 0, {"queue_wait": 1})


async def test_whoever_leaves_the_queue_takes_no_turn_even_at_the_last_moment() -> None:
    gate = turnstile(waiting=3)
    await gate.enter()
    gone, late, stays = await waiting_at(gate, 3)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    gate.leave()
    late.cancel()  # its turn has come, and it does not know yet
    await asyncio.gather(late, return_exceptions=True)
    await stays
    assert (gate.n_inside, gate.n_waiting) == (1, 0)


async def test_more_room_lets_the_waiting_in() -> None:
    gate = turnstile(waiting=3)
    await gate.enter()
    waiting = await waiting_at(gate, 3)
    gate.configure(4, 3, 60.0, 0.5)
    await asyncio.gather(*waiting)
    assert gate.n_inside == 4


async def test_an_event_loop_that_is_late_time_and_again_takes_nobody() -> None:
    gate = turnstile(limit=100)
    for _ in range(N_LAGS - 1):
        gate.lag.seen(0.6)
    await gate.enter()
    gate.lag.seen(0.6)
    with pytest.raises(Overloaded, match="behind"):
        await gate.enter()
    gate.lag.seen(0.0)
    await gate.enter()
    assert (gate.n_inside, gate.n_shed) == (2, {"lag": 1})


async def test_the_lag_is_looked_at_on_its_own() -> None:
    gate = turnstile()
    gate.lag.start()
    await asyncio.sleep(0.4)
    assert gate.lag.is_late(-1.0)
    gate.lag.stop()
    assert gate.lag.lag_s >= 0.0


async def test_a_turn_that_comes_just_after_it_was_given_up_is_told_as_overload() -> None:
    gate = turnstile(wait_s=0.01)
    await gate.enter()
    (waits,) = await waiting_at(gate)
    asyncio.get_running_loop().call_later(0.02, gate.leave)
    # Busy until both are due: the wait ends first, and before it is told, somebody leaves.
    time.sleep(0.05)
    with pytest.raises(Overloaded):
        await waits
    assert (gate.n_inside, gate.n_waiting, gate.n_shed["queue_wait"]) == (0, 0, 1)
    await gate.enter()
