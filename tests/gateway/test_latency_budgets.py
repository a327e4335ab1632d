"""A latency budget decides how a cascade is run, through the real gateway and by the official SDKs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.gateway.conftest import OpenStand

from pointsman.call.health import Health
from pointsman.vocabulary import CascadeMode

from .test_cascades import CHEAP, DIALECTS, STRONG, Ahead, ask, called, judged, policy, recorded, script

BUDGET = "x-pointsman-max-latency-ms"


def paced(**takes_ms: tuple[float, float]) -> Health:
    """A gateway that has seen ten answers of each model, of 20 tokens: ms to the first byte and to the last."""
    health = Health()
    for model, (first_ms, whole_ms) in takes_ms.items():
        for stream in (False, True):
            for _ in range(10):
                health.paces.note(
                    model,
                    stream=stream,
                    first_byte_ms=first_ms if stream else whole_ms,
                    whole_ms=whole_ms,
                    n_tokens=20,
                )
    return health


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_with_too_little_time_to_judge_the_strong_tier_is_called_at_once(
    open_stand: OpenStand, dialect: str, stream: bool
) -> None:
    health = paced(small=(3_000, 9_000), large=(200, 4_000))
    async with open_stand(script(), policies=policy(), judges=judged(0.9), health=health) as stand:
        seen = await ask(stand, dialect, stream=stream, extra_headers={BUDGET: "2500"})
        record = await recorded(stand)
    assert (seen.text, called(stand)) == (STRONG, ["large-2026"])
    assert "a first byte within 2,500 ms leaves no time to judge cheap's answer" in seen.reason
    assert record.decision.reason_code == "latency"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_where_there_is_no_time_for_one_after_the_other_both_are_called(
    open_stand: OpenStand, dialect: str, stream: bool
) -> None:
    # The first byte of the cheap answer alone takes 3 s, so there is nothing to hold back in time either.
    health = paced(small=(3_000, 3_000), large=(3_000, 3_000))
    async with open_stand(script(), policies=policy(), judges=judged(0.9), health=health, scorer=Ahead(0.9)) as stand:
        await ask(stand, dialect, stream=stream, extra_headers={BUDGET: "4000"})
        record = await recorded(stand)
    assert sorted(called(stand)) == ["large-2026", "small-2026"]
    assert "within 4,000 ms there is time for race, not for buffer" in record.decision.reason


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_stream_whose_beginning_can_be_judged_in_time_is_held_back(open_stand: OpenStand, dialect: str) -> None:
    # 300 ms and four tokens of 135 ms, then 400 ms, are within 2 s; 3 s and 400 ms are not.
    health = paced(small=(300, 3_000), large=(400, 4_000))
    async with open_stand(script(), policies=policy(), judges=judged(0.9), health=health) as stand:
        seen = await ask(stand, dialect, stream=True, extra_headers={BUDGET: "2000"})
        record = await recorded(stand)
    assert (seen.text, called(stand)) == (CHEAP, ["small-2026"])
    assert "there is time for holdback, not for buffer" in record.decision.reason
    assert record.attempts[-1].verdicts


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_with_time_enough_the_configured_mode_is_kept(open_stand: OpenStand, dialect: str) -> None:
    health = paced(small=(300, 3_000), large=(400, 4_000))
    async with open_stand(
        script(), policies=policy(CascadeMode.BUFFER, max_latency_ms=60_000), judges=judged(0.9), health=health
    ) as stand:
        seen = await ask(stand, dialect, stream=True)
        record = await recorded(stand)
    assert (seen.text, called(stand)) == (CHEAP, ["small-2026"])
    assert "there is time for" not in record.decision.reason


async def test_the_gateway_learns_how_long_its_models_take(open_stand: OpenStand) -> None:
    health = Health()
    async with open_stand(script(), policies=policy(), judges=judged(0.3), health=health) as stand:
        for _ in range(8):
            await ask(stand, "chat", stream=True)
        await stand.ledger.wait_records(8)
    cheap, strong = (health.paces.of(name, stream=True) for name in ("small", "large"))
    assert cheap is not None and strong is not None
    assert 0 < cheap.first_byte_ms <= cheap.whole_ms
    assert health.paces.of("large", stream=False) is None
