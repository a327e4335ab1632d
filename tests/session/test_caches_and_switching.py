"""What caches keep, and what leaving a model is worth: by hand first, then as properties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.session import SessionRules, Sessions, Side, cached_after, weigh
from pointsman.vocabulary import Dialect, Endpoint, Hints, Model, Request, Usage
from pointsman.wire import build_request


def model(name: str = "m", *, provider: str = "openai-compatible", dialect: Dialect = Dialect.OPENAI_CHAT) -> Model:
    return Model(name, provider, name, {dialect: Endpoint("http://127.0.0.1:9")})


CLAUDE = model("claude", provider="anthropic", dialect=Dialect.ANTHROPIC_MESSAGES)


@pytest.mark.parametrize(
    ("of", "usage", "tokens"),
    [
        (CLAUDE, Usage(5_000, 10, cached_input_tokens=3_000, cache_write_tokens=1_500), 4_500),
        (CLAUDE, Usage(5_000, 10), 0),
        (model(), Usage(5_000, 10), 0),
        (model(), Usage(5_000, 10, cached_input_tokens=1_024), 4_992),
        (model(provider="openai"), Usage(5_000, 10), 4_992),
        (model(provider="openai"), Usage(1_023, 10), 0),
        (model(provider="openai"), Usage(5_000, 10, estimated=True), 0),
    ],
)
def test_what_is_cached_after_an_answer(of: Model, usage: Usage, tokens: int) -> None:
    assert cached_after(of, usage) == tokens


def request(session: str = "s") -> Request:
    return build_request(prompt="Hi", hints=Hints(session=session))


def test_a_cache_is_forgotten_after_its_time_and_a_conversation_after_its_own() -> None:
    sessions = Sessions(SessionRules(cache_ttl_s=300.0, idle_s=3_600.0))
    sessions.answered(request(), CLAUDE, Usage(2_000, 10, cache_write_tokens=1_900), 1_000.0)
    state = sessions.of(request(), 1_299.0)
    assert state is not None
    assert (state.model, state.served) == ("claude", ("claude",))
    assert sessions.cached_tokens(state, "claude", 1_299.0) == 1_900
    assert sessions.cached_tokens(state, "claude", 1_300.0) == 0
    assert sessions.cached_tokens(state, "other", 1_001.0) == 0
    assert sessions.of(request(), 4_600.0) is None
    assert sessions.of(request("another"), 1_001.0) is None


def test_a_clock_that_goes_back_forgets_nothing() -> None:
    sessions = Sessions()
    sessions.answered(request(), CLAUDE, Usage(2_000, 10, cache_write_tokens=1_900), 1_000.0)
    assert sessions.cached_tokens(sessions.of(request(), 10.0), "claude", 10.0) == 1_900


def test_models_that_served_are_remembered_the_latest_last() -> None:
    sessions = Sessions()
    for name in ("a", "b", "a", "c"):
        sessions.answered(request(), model(name), Usage(10, 1), 0.0)
    state = sessions.of(request(), 0.0)
    assert state is not None
    assert (state.model, state.served) == ("c", ("b", "a", "c"))


def test_what_another_model_said_ends_where_this_one_took_over() -> None:
    sessions = Sessions()

    def answered(by: str, n: int) -> int:
        turns = [{"role": "user" if place % 2 == 0 else "assistant", "content": "x"} for place in range(n)]
        asked = build_request(messages=turns, hints=Hints(session="s"))
        sessions.answered(asked, model(by), None, 0.0)
        state = sessions.of(asked, 0.0)
        assert state is not None
        return state.n_foreign

    assert [answered("a", 1), answered("a", 3), answered("b", 5), answered("b", 7), answered("a", 9)] == [0, 0, 5, 5, 9]


def test_memory_is_bounded_and_the_idlest_makes_room() -> None:
    sessions = Sessions(SessionRules(max_sessions=2))
    for name in ("one", "two", "one", "three"):
        sessions.answered(request(name), CLAUDE, None, 0.0)
    assert len(sessions) == 2
    assert sessions.of(request("one"), 0.0) is not None
    assert sessions.of(request("two"), 0.0) is None


def test_a_switch_up_by_hand() -> None:
    """P 0.60 to 1 at threshold 0.70: the policy pays 0.009 for 0.30, so 0.40 is worth 0.012."""
    weighed = weigh(Side(0.60, 0.001, 0.001), Side(1.0, 0.010, 0.010), 0.70)
    assert weighed is not None
    assert weighed.gain_usd == pytest.approx(0.012)
    assert weighed.cost_usd == pytest.approx(0.009)
    assert weighed.switch


def test_a_switch_down_is_not_worth_a_warm_cache_by_hand() -> None:
    """Down saves 0.009 at list price, but only 0.0005 where nine tenths of the strong model's input are cached."""
    held, cold = Side(1.0, 0.010, 0.0015), Side(1.0, 0.010, 0.010)
    new = Side(0.90, 0.001, 0.001)
    kept, left = weigh(held, new, 0.70), weigh(cold, new, 0.70)
    assert kept is not None and left is not None
    assert kept.gain_usd == pytest.approx(-0.003)
    assert kept.cost_usd == pytest.approx(-0.0005)
    assert (kept.switch, left.switch) == (False, True)


def test_another_model_of_the_same_tier_is_no_gain() -> None:
    weighed = weigh(Side(0.9, 0.01, 0.002), Side(0.9, 0.008, 0.008), 0.7)
    assert weighed is not None
    assert not weighed.switch


def test_quality_at_any_price_has_no_price() -> None:
    assert weigh(Side(0.9, 0.001, 0.001), Side(1.0, 0.01, 0.01), 1.0) is None


def test_a_better_and_cheaper_model_is_taken_as_the_policy_says() -> None:
    assert weigh(Side(0.9, 0.01, 0.001), Side(1.0, 0.005, 0.005), 0.7) is None


@given(
    p_cheap=st.floats(0, 0.999),
    threshold=st.floats(0, 0.999),
    cheap_usd=st.floats(1e-6, 1e-2),
    times=st.floats(1.1, 60),
)
def test_without_caches_it_is_the_policy_that_decides(
    p_cheap: float, threshold: float, cheap_usd: float, times: float
) -> None:
    """Of two tiers: up where P is below the threshold, down where it is not (ties aside)."""
    if abs(p_cheap - threshold) < 1e-6:
        return
    cheap = Side(p_cheap, cheap_usd, cheap_usd)
    strong = Side(1.0, cheap_usd * times, cheap_usd * times)
    up, down = weigh(cheap, strong, threshold), weigh(strong, cheap, threshold)
    assert up is not None and down is not None
    assert up.switch is (p_cheap < threshold)
    assert down.switch is (p_cheap > threshold)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.99), st.floats(0, 0.009), st.floats(0, 0.009))
def test_a_warmer_cache_never_makes_leaving_more_likely(
    p_held: float, p_new: float, threshold: float, warm: float, warmer: float
) -> None:
    low, high = sorted((warm, warmer))
    new = Side(p_new, 0.001, 0.001)
    less, more = (weigh(Side(p_held, 0.010, 0.010 - saved), new, threshold) for saved in (low, high))
    if less is not None and more is not None and not less.switch:
        assert not more.switch
