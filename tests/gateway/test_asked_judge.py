"""A configured model as a judge, through the real gateway: asked where the free judge is unsure, its cost on record."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from tests.gateway.test_cascades import CHEAP, ask, policy, recorded, script

from pointsman.assembly import from_config
from pointsman.cascade import Judges
from pointsman.errors import ConfigError
from pointsman.features import text_of
from pointsman.judging import ModelJudge, ModelJudgeSettings
from pointsman.testing import FakeJudge, FakeTransport, Reply, Upstream
from pointsman.vocabulary import Dialect, Usage

if TYPE_CHECKING:
    from tests.gateway.conftest import OpenStand


def config(**judge: Any) -> dict[str, Any]:
    model = {"provider": "openai-compatible", "base_url": "http://127.0.0.1:9/v1", "api_key": "k" * 8}
    price = {"input_usd_per_mtok": 10, "output_usd_per_mtok": 10}
    return {
        "models": [
            {**model, "name": name, "model": name, **({} if name == "free" else {"price": price})}
            for name in ("small", "large", "free")
        ],
        "tiers": [{"name": "cheap", "models": ["small"]}, {"name": "strong", "models": ["large"]}],
        "policies": {"auto": {"kind": "cascade", "accept": 0.5}},
        "baseline": "strong",
        "cascade": {"judge": {"model": "large", **judge}},
    }


@asynccontextmanager
async def judged_by(reply: Reply, p_free: float = 0.5) -> AsyncIterator[tuple[Judges, Upstream]]:
    """A free judge that says the same of every answer, and one at an upstream of its own."""
    async with Upstream({"judge-2026": reply}) as upstream:
        settings = ModelJudgeSettings(upstream.model("judge", dialects=(Dialect.OPENAI_CHAT,)))
        ask_model = partial(ModelJudge, settings, text_of=text_of)
        yield Judges(FakeJudge(p_free), ask_between=(0.3, 0.9), asked_over=ask_model), upstream


@pytest.mark.parametrize(("said", "model"), [("Probability: 90", "small"), ("Probability: 10", "large")])
async def test_the_judge_decides_where_the_free_one_is_unsure(open_stand: OpenStand, said: str, model: str) -> None:
    async with judged_by(Reply(text=f"It reads well.\n{said}", usage=Usage(100, 10))) as (judges, asked_at):
        async with open_stand(script(), policies=policy(), judges=judges) as stand:
            seen = await ask(stand, "chat", stream=True)
            record = await recorded(stand)
        (question,) = asked_at.requests
    assert seen.model == model
    first, asked = record.attempts[0].verdicts
    assert (first.judge, asked.judge) == ("fake judge", "judge judge")
    assert asked.p_good == pytest.approx(0.9 if model == "small" else 0.1)
    assert asked.cost.usd is not None
    assert asked.cost.usd > 0
    assert record.judge_cost_usd == pytest.approx(asked.cost.usd)
    system, user = question.json["messages"]
    assert system["content"].startswith("You judge answers.")
    assert "Hi" in user["content"] and CHEAP in user["content"]


@pytest.mark.parametrize("reply", [Reply(text="No idea."), Reply(status=500)])
async def test_a_judge_that_says_nothing_never_fails_the_request(open_stand: OpenStand, reply: Reply) -> None:
    async with (
        judged_by(reply) as (judges, _),
        open_stand(script(), policies=policy(), judges=judges) as stand,
    ):
        seen = await ask(stand, "chat", stream=False)
    assert seen.model == "large"
    assert "unjudged (the judge failed: UpstreamBroken)" in seen.reason


async def test_nobody_is_asked_where_the_free_judge_is_sure(open_stand: OpenStand) -> None:
    async with (
        judged_by(Reply(text="Probability: 1"), p_free=0.95) as (judges, asked_at),
        open_stand(script(), policies=policy(), judges=judges) as stand,
    ):
        seen = await ask(stand, "chat", stream=False)
        assert not asked_at.requests
    assert seen.model == "small"


def test_the_configuration_makes_the_judge() -> None:
    judges = from_config(config(ask_between=[0.2, 0.8], timeout_ms=700)).judges
    assert judges.ask_between == (0.2, 0.8)
    assert judges.asked_within_s == pytest.approx(0.8)
    found = judges.over(FakeTransport({})).asked
    assert found is not None
    assert found.name == "judge large"


@pytest.mark.parametrize(
    ("judge", "match"),
    [
        ({"model": "nobody"}, "no model named `nobody`"),
        ({"model": "free"}, "has no price"),
        ({"ask_between": [0.9, 0.3]}, "give the lower end first"),
        ({"parameters": {"stream": True}}, "is set by Pointsman"),
    ],
)
def test_a_judge_that_cannot_be_asked_is_refused(judge: dict[str, Any], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        from_config(config(**judge))
