"""Cascades that were trained, tuned and configured as a user does it, through the gateway and the official SDKs."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from tests.cli.test_cascade_commands import artifact, tuned
from tests.gateway.test_cascades import DIALECTS, ask, recorded

from pointsman.assembly import Parts, from_config, watch_plans
from pointsman.decide import PlannedCascade
from pointsman.errors import ConfigError
from pointsman.testing import Reply
from pointsman.tune import read_cascade, write_cascade
from pointsman.vocabulary import AttemptStatus, Usage

if TYPE_CHECKING:
    from tests.gateway.conftest import OpenStand

SURE, UNSURE = math.log(0.9), math.log(0.6)


def config(file: Path | None = None, **policy: Any) -> dict[str, Any]:
    """What the user writes: two models, the artifact, and the tuned policy."""
    common = {"provider": "openai-compatible", "base_url": "http://127.0.0.1:9/v1", "api_key": "k" * 8}
    prices = {
        "small": {"input_usd_per_mtok": 10, "output_usd_per_mtok": 10},
        "large": {"input_usd_per_mtok": 200, "output_usd_per_mtok": 200},
    }
    return {
        "models": [{**common, "name": name, "model": f"{name}-2026", "price": price} for name, price in prices.items()],
        "tiers": [{"name": "cheap", "models": ["small"]}, {"name": "strong", "models": ["large"]}],
        "router": {"artifact": str(artifact())},
        "policies": {"auto": {"kind": "cascade", "file": str(tuned() if file is None else file), **policy}},
        "default_policy": "auto",
        "baseline": "strong",
    }


@cache
def parts() -> Parts:
    return from_config(config())


def small_says(logprob: float) -> Reply:
    return Reply(text="A", usage=Usage(10, 10), logprobs=[logprob])


def stand_with(open_stand: OpenStand, small: Reply, **more: Any) -> Any:
    script = {"small-2026": small, "large-2026": Reply(text="B", usage=Usage(10, 10)), "spare-2026": Reply(status=500)}
    return open_stand(script, policies=parts().policies, judges=parts().judges, scorer=parts().scorer, **more)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", ["chat", "responses"])
async def test_what_training_learned_of_confidence_decides_in_the_gateway(
    open_stand: OpenStand, dialect: str, stream: bool
) -> None:
    for logprob, text, model in ((SURE, "A", "small"), (UNSURE, "B", "large")):
        async with stand_with(open_stand, small_says(logprob)) as stand:
            seen = await ask(stand, dialect, stream=stream)
            record = await recorded(stand)
            n_calls = len(stand.upstream.requests)
        assert (seen.text, seen.model) == (text, model)
        verdict = record.attempts[0].verdicts[-1]
        assert verdict.judge == "answer scorer of art 1"
        assert verdict.accepted is (model == "small")
        if model == "small":
            assert n_calls == 1
            assert verdict.p_good > 0.8
            assert seen.reason.startswith("accepted: cheap: P(good) 0.")
            assert "more is not worth its price" in seen.reason
        else:
            assert n_calls == 2
            assert verdict.p_good < 0.3
            assert seen.reason.startswith("escalated: cheap: P(good) 0.")
            assert "strong is worth its price" in seen.reason
            assert [attempt.status for attempt in record.attempts] == [AttemptStatus.ESCALATED, AttemptStatus.OK]


async def test_the_promise_stands_in_the_reason(open_stand: OpenStand) -> None:
    async with stand_with(open_stand, small_says(SURE)) as stand:
        seen = await ask(stand, "chat", stream=False)
    assert "tuned to lose at most 15.0% of the strong model's quality, confidence 80%" in unquote(seen.reason)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_cheap_call_that_fails_is_followed_by_the_strong_one(open_stand: OpenStand, dialect: str) -> None:
    async with stand_with(open_stand, Reply(status=500)) as stand:
        seen = await ask(stand, dialect, stream=True)
    assert (seen.text, seen.model) == ("B", "large")
    assert seen.reason.startswith("escalated: cheap failed")


async def test_a_plain_fault_escalates_whatever_the_probabilities_say(open_stand: OpenStand) -> None:
    refusing = Reply(text="I cannot help.", usage=Usage(10, 10), logprobs=[SURE] * 3)
    async with stand_with(open_stand, refusing) as stand:
        seen = await ask(stand, "chat", stream=False)
    assert seen.text == "B"
    assert "escalated: cheap: it opens with a refusal" in seen.reason


async def test_the_client_sees_none_of_the_probabilities_that_the_scorer_asked_for(open_stand: OpenStand) -> None:
    async with stand_with(open_stand, small_says(SURE)) as stand:
        body = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}]}
        _, _, got = await stand.send("POST", "/v1/chat/completions", json=body)
        assert stand.upstream.requests[0].json["logprobs"] is True
    assert b'"logprob"' not in got
    assert json.loads(got)["choices"][0]["message"]["content"] == "A"


def test_a_file_makes_the_plan_the_policy() -> None:
    policy = parts().policies["auto"]
    assert isinstance(policy, PlannedCascade)
    assert policy.tiers == ("cheap", "strong")
    assert policy.plan.models == ("small", "large")


def moved(**update: Any) -> Path:
    path = Path(mkdtemp()) / "policy.json"
    write_cascade(path, read_cascade(tuned()).model_copy(update=update))
    return path


@pytest.mark.parametrize(
    ("file", "policy", "match"),
    [
        (lambda: moved(router=None), {}, "needs an artifact that scores answers"),
        (
            lambda: moved(router=read_cascade(tuned()).router.model_copy(update={"sha256": "0" * 64})),  # type: ignore[union-attr]
            {},
            "tune it again",
        ),
        (None, {"mode": "holdback"}, "use buffer or race"),
        (None, {"kind": "cascade_routing"}, "is a cascade policy"),
        (lambda: Path("nowhere.json"), {}, "cannot be read"),
        (None, {"accept": 0.5}, "exactly one of"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_served(file: Any, policy: dict[str, Any], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        from_config(config(None if file is None else file(), **policy))


def test_a_router_without_answers_cannot_serve_a_tuned_cascade() -> None:
    raw = config() | {"router": {"artifact": "builtin"}}
    with pytest.raises(ConfigError, match="needs an artifact that scores answers"):
        from_config(raw)


def test_a_tuned_cascade_is_watched_by_its_own_promise_and_is_the_same_after_a_restart() -> None:
    """Its name must not hang on where its parts lie in memory: a restart would end an alarm."""
    one, two = (watch_plans(from_config({**config(), "shadow": {"share": 0.1}}))["auto"] for _ in range(2))
    assert one.fingerprint == two.fingerprint
    assert one.limit == 0.15
    reference = one.reference
    assert reference is not None
    assert (reference.thresholds, reference.n) == ((), read_cascade(tuned()).sample.n_groups)
    assert reference.accepted == pytest.approx(1.0 - read_cascade(tuned()).expected.strong_share)
    other = {**config(moved(created="2027-01-01")), "shadow": {"share": 0.1}}
    assert watch_plans(from_config(other))["auto"].fingerprint != one.fingerprint
