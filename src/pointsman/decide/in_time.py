"""What a latency budget leaves of a cascade: the modes whose first byte comes in time, by how long models take.

    mode       the first byte comes, at the latest, after
    buffer     all weaker answers, one after the other, then the strong one's first byte
    holdback   the beginning of the weaker answer, then the strong one's first byte
    race       the weaker answer, or the strong one's first byte beside it, whichever takes longer
    none       the strong one's first byte: it is called at once

The configured mode is kept where it fits; otherwise the first of these that does. A race pays for the strong call, so
it comes last. Where the pace of a model is not known yet, the configured mode is kept, and the clock alone ends it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pointsman.vocabulary import CascadeMode, Pace

from .policies import Choice, Ladder


def in_time(choice: Choice, pace_of: Callable[[str], Pace | None], *, stream: bool) -> Choice:
    """The choice with a cascade that can keep its latency budget, or with the strongest tier at once.

    Args:
        pace_of: by tier, of the model that would be called; None where it is not known.
        stream: the client wants a stream, without which no answer's beginning can be held back.
    """
    ladder = choice.ladder
    if ladder is None or ladder.max_latency_ms is None:
        return choice
    strong = pace_of(ladder.tiers[-1])
    weak = [pace_of(tier) for tier in ladder.tiers[ladder.first : -1]]
    first = weak[0]
    if strong is None or first is None:
        return choice
    budget_ms, strong_ms = ladder.max_latency_ms, strong.first_byte_ms
    chain = list(ladder.tiers[ladder.first :])
    if any(pace is None for pace in weak) or first.whole_ms + strong_ms > budget_ms:
        whole_ms = first.whole_ms
    else:
        # Only as many weaker tiers as there is time for, the first before all.
        whole_ms, n_kept = 0.0, 0
        for pace in weak:
            assert pace is not None
            if whole_ms + pace.whole_ms + strong_ms > budget_ms:
                break
            whole_ms += pace.whole_ms
            n_kept += 1
        chain = [*chain[:n_kept], ladder.tiers[-1]]
    can_hold = stream and ladder.early_tokens > 0 and ladder.quality_per_usd is None and first.ms_per_token is not None
    beginning_ms = first.first_byte_ms + ladder.early_tokens * (first.ms_per_token or 0.0)
    takes_ms = {
        CascadeMode.BUFFER: whole_ms + strong_ms,
        CascadeMode.HOLDBACK: min(beginning_ms, first.whole_ms) + strong_ms if can_hold else None,
        CascadeMode.RACE: max(first.whole_ms, strong_ms),
    }
    wanted = _runs_as(ladder, can_hold=can_hold)
    for mode in (wanted, CascadeMode.BUFFER, CascadeMode.HOLDBACK, CascadeMode.RACE):
        needs_ms = takes_ms[mode]
        if needs_ms is not None and needs_ms <= budget_ms:
            return _with_mode(choice, ladder, mode, wanted, chain, time_up_ms=_alarm_ms(mode, budget_ms, strong_ms))
    strongest, weaker = ladder.tiers[-1], ladder.tiers[ladder.first]
    why = (
        f"a first byte within {budget_ms:,.0f} ms leaves no time to judge {weaker}'s answer, which takes up to "
        f"{first.whole_ms:,.0f} ms, so {strongest}"
    )
    return Choice(strongest, why, "latency", score=choice.score)


def _runs_as(ladder: Ladder, *, can_hold: bool) -> CascadeMode:
    """What the configured mode comes to for this request: nothing may be there to hold back, or no reason to race."""
    if ladder.mode is CascadeMode.RACE and not ladder.race:
        return CascadeMode.BUFFER
    if ladder.mode is CascadeMode.HOLDBACK and not can_hold:
        return CascadeMode.BUFFER
    return ladder.mode


def _alarm_ms(mode: CascadeMode, budget_ms: float, strong_ms: float) -> float:
    """When the strong tier must be called at the latest; in a race it has been, and may be served from then on."""
    return budget_ms if mode is CascadeMode.RACE else budget_ms - strong_ms


def _with_mode(
    choice: Choice, ladder: Ladder, mode: CascadeMode, wanted: CascadeMode, chain: list[str], *, time_up_ms: float
) -> Choice:
    keeps = [place for place, tier in enumerate(ladder.tiers) if place < ladder.first or tier in chain]
    fitting = replace(
        ladder,
        tiers=tuple(ladder.tiers[place] for place in keeps),
        accept_at=tuple(ladder.accept_at[place] for place in keeps),
        p_ahead=tuple(ladder.p_ahead[place] for place in keeps),
        mode=mode,
        race=mode is CascadeMode.RACE,
        time_up_ms=time_up_ms,
    )
    if mode is wanted:
        return replace(choice, ladder=fitting)
    why = f"within {ladder.max_latency_ms:,.0f} ms there is time for {mode.value}, not for {wanted.value}"
    return replace(choice, reason=f"{choice.reason}; {why}", ladder=fitting)
