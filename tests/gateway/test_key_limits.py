"""Rates, concurrency, budgets, and what a key may be routed to, through the gateway and the official SDKs."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest
from tests.gateway.keyring import Keyring

from pointsman import assembly
from pointsman.decide import FixedPolicy
from pointsman.gateway import Keys
from pointsman.limit import MemoryLimits, Window
from pointsman.record import open_ledger
from pointsman.router import Router
from pointsman.testing import CutAfter, HoldAnswer, Reply, StallAfter, overloaded
from pointsman.vocabulary import KeyTerms, Tier, Usage

if TYPE_CHECKING:
    from tests.gateway.conftest import OpenStand, Stand

NONE = KeyTerms()
HI: list[Any] = [{"role": "user", "content": "Hi"}]
CHAT: dict[str, Any] = {"model": "auto", "messages": HI, "max_tokens": 1_000}
# At 1 USD per million tokens in and 2 out: 0.002 USD, and at most a little more than that is set aside.
COST_USD = 0.002
ANSWER = Reply(text="a", usage=Usage(1_000, 500))


class Desk:
    """One key, its limits, and the headers that bear it."""

    def __init__(self, terms: KeyTerms, *, budget: KeyTerms = NONE) -> None:
        self.ring = Keyring()
        self.key = self.ring.add("alice", terms)
        virtual = self.ring.virtual()
        self.keys = Keys(admin="key-of-admin", virtual=virtual)
        self.limits = self.ring.limits(virtual, budget=budget)
        self.headers = {"x-api-key": self.key}

    def stand(self, open_stand: OpenStand, script: Any = ANSWER, **options: Any) -> Any:
        return open_stand(script, keys=self.keys, key_limits=self.limits, **options)

    async def chat(self, stand: Stand, **changes: Any) -> tuple[int, Mapping[str, str], Any]:
        status, headers, got = await stand.send(
            "POST", "/v1/chat/completions", json=CHAT | changes, headers=self.headers
        )
        return status, headers, json.loads(got)

    def spent_usd(self) -> float:
        return self.limits.spent_usd("alice", Window.DAY)


# ---------------------------------------------------------------- budgets (RELIABILITY.md D2 49, F S16)


@pytest.mark.row("D2.49")
async def test_fifty_at_once_against_a_nearly_spent_budget_overspend_by_one_at_most(open_stand: OpenStand) -> None:
    desk = Desk(KeyTerms(usd_per_day=1.0))
    desk.limits.restore(Window.DAY, {"alice": 0.999})
    async with desk.stand(open_stand) as stand:
        answers = await asyncio.gather(*(desk.chat(stand) for _ in range(50)))
        n_called = len(stand.upstream.requests)
    statuses = [status for status, _, _ in answers]
    assert statuses.count(200) == n_called == 1
    assert set(statuses) == {200, 429}
    assert desk.spent_usd() == pytest.approx(0.999 + COST_USD)
    assert desk.limits.n_under_way == 0


async def test_requests_run_side_by_side_while_the_budget_pays_for_all_of_them(open_stand: OpenStand) -> None:
    desk = Desk(KeyTerms(usd_per_day=1.0), budget=KeyTerms(usd_per_month=1.0))
    async with desk.stand(open_stand) as stand:
        answers = await asyncio.gather(*(desk.chat(stand) for _ in range(50)))
    assert {status for status, _, _ in answers} == {200}
    assert desk.spent_usd() == pytest.approx(50 * COST_USD)


async def test_a_spent_budget_is_said_as_each_sdk_expects_and_not_tried_again(open_stand: OpenStand) -> None:
    desk = Desk(KeyTerms(usd_per_day=0.001))
    async with desk.stand(open_stand) as stand:
        assert (await desk.chat(stand))[0] == 200
        status, headers, body = await desk.chat(stand)
        assert (status, body["error"]["type"], body["error"]["code"]) == (
            429,
            "insufficient_quota",
            "insufficient_quota",
        )
        assert headers["x-should-retry"] == "false"
        assert headers["Retry-After"] == "86400"
        assert "0.001 USD per day" in body["error"]["message"]
        async with stand.openai(api_key=desk.key, max_retries=3) as client:
            with pytest.raises(openai.RateLimitError) as refused:
                await client.chat.completions.create(model="auto", messages=HI)
        assert refused.value.code == "insufficient_quota"
        async with stand.anthropic(api_key=desk.key, max_retries=3) as other:
            with pytest.raises(anthropic.APIStatusError) as told:
                await other.messages.create(model="auto", max_tokens=5, messages=HI)
        assert told.value.status_code == 402
        assert told.value.body is not None and "billing_error" in str(told.value.body)
        assert len(stand.upstream.requests) == 1
        assert len(stand.ledger.records) == 1, "refusals do not fill the ledger"
        desk.ring.clock.advance(86_400)
        assert (await desk.chat(stand))[0] == 200


async def test_a_client_that_leaves_pays_what_came_and_frees_the_rest(open_stand: OpenStand) -> None:
    desk = Desk(KeyTerms(usd_per_day=1.0, max_concurrent=1))
    async with desk.stand(open_stand, Reply(fault=StallAfter(2))) as stand:
        async with stand.session.post(
            stand.url + "/v1/chat/completions", json=CHAT | {"stream": True}, headers=desk.headers
        ) as response:
            await response.content.readany()
            assert desk.limits.n_under_way == 1
            response.close()
        await stand.upstream.wait_cancelled()
        [record] = await stand.ledger.wait_records(1)
        assert record.status == "cancelled"
        assert desk.limits.n_under_way == 0
        assert desk.spent_usd() == record.cost.usd


async def test_a_client_that_leaves_before_the_answer_frees_its_place(open_stand: OpenStand) -> None:
    desk = Desk(KeyTerms(usd_per_day=1.0))
    async with desk.stand(open_stand, Reply(fault=HoldAnswer())) as stand:
        task = asyncio.create_task(desk.chat(stand))
        await stand.upstream.wait_requests(1)
        assert desk.limits.n_under_way == 1
        task.cancel()
        await stand.upstream.wait_cancelled()
        await stand.ledger.wait_records(1)
        assert desk.limits.n_under_way == 0
        assert desk.spent_usd() < COST_USD


async def test_calls_that_fail_and_streams_that_break_are_settled(open_stand: OpenStand) -> None:
    desk = Desk(KeyTerms(usd_per_day=1.0))
    async with desk.stand(open_stand, {"small-2026": overloaded()}, tiers=(Tier("cheap", ("small",)),)) as stand:
        status, _, _ = await desk.chat(stand)
        assert status == 503
        assert (desk.limits.n_under_way, desk.spent_usd()) == (0, 0.0)
    async with desk.stand(open_stand, Reply(text="a b c d", fault=CutAfter(2))) as stand:
        status, _, got = await stand.send(
            "POST", "/v1/chat/completions", json=CHAT | {"stream": True}, headers=desk.headers
        )
        assert status == 200 and b"error" in got
        [record] = await stand.ledger.wait_records(1)
        assert record.status == "incomplete"
        assert desk.limits.n_under_way == 0
        assert desk.spent_usd() == record.cost.usd


async def test_a_request_that_cannot_be_decided_is_settled(open_stand: OpenStand) -> None:
    desk = Desk(KeyTerms(usd_per_day=1.0, max_concurrent=1))
    async with desk.stand(open_stand) as stand:
        for _ in range(3):
            assert (await desk.chat(stand, model="unknown"))[0] == 404
        assert desk.limits.n_under_way == 0
        assert (await desk.chat(stand))[0] == 200


# ---------------------------------------------------------------- rates and concurrency


async def test_fifty_at_once_get_no_more_than_the_rate_of_their_key(open_stand: OpenStand) -> None:
    desk = Desk(KeyTerms(requests_per_min=10))
    async with desk.stand(open_stand) as stand:
        answers = await asyncio.gather(*(desk.chat(stand) for _ in range(50)))
        assert len(stand.upstream.requests) == 10
        other = await stand.send("POST", "/v1/chat/completions", json=CHAT, headers={"x-api-key": "key-of-admin"})
    refused = [(headers, body) for status, headers, body in answers if status == 429]
    assert (len(refused), other[0]) == (40, 200)
    headers, body = refused[0]
    assert body["error"]["type"] == "rate_limit_error" and body["error"]["code"] == "rate_limit_exceeded"
    assert headers["Retry-After"] == "6"
    assert "x-should-retry" not in headers
    assert (headers["x-ratelimit-limit-requests"], headers["x-ratelimit-remaining-requests"]) == ("10", "0")
    assert headers["x-ratelimit-reset-requests"] == "1m0s"


async def test_fifty_at_once_get_no_more_than_their_places(open_stand: OpenStand) -> None:
    desk = Desk(KeyTerms(max_concurrent=4))
    async with desk.stand(open_stand, Reply(fault=HoldAnswer())) as stand:
        tasks = [asyncio.create_task(desk.chat(stand)) for _ in range(50)]
        await stand.upstream.wait_requests(4)
        done, _ = await asyncio.wait(tasks, timeout=5, return_when=asyncio.FIRST_COMPLETED)
        while len(done) < 46:
            done, _ = await asyncio.wait(tasks, timeout=5, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)
        stand.upstream.release()
        statuses = [status for status, _, _ in await asyncio.gather(*tasks)]
    assert (statuses.count(200), statuses.count(429)) == (4, 46)


async def test_what_is_left_stands_in_the_headers_of_answers_in_the_callers_words(open_stand: OpenStand) -> None:
    desk = Desk(KeyTerms(requests_per_min=60, tokens_per_min=6_000))
    provider = Reply(text="a", usage=Usage(1_000, 500), headers={"x-ratelimit-remaining-requests": "9999"})
    async with desk.stand(open_stand, provider) as stand:
        _, headers, _ = await desk.chat(stand)
        assert headers["x-ratelimit-remaining-requests"] == "59", "its own, not ours with the provider"
        assert headers["x-ratelimit-remaining-tokens"] == "4500"
        _, headers, _ = await stand.send(
            "POST", "/v1/chat/completions", json=CHAT | {"stream": True}, headers=desk.headers
        )
        assert headers["x-ratelimit-remaining-requests"] == "58"
        _, headers, _ = await stand.send("POST", "/v1/messages", json=CHAT, headers=desk.headers)
        assert headers["anthropic-ratelimit-requests-remaining"] == "57"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", headers["anthropic-ratelimit-requests-reset"])
        assert headers["anthropic-ratelimit-tokens-limit"] == "6000"
    free = Desk(KeyTerms())
    async with free.stand(open_stand, provider) as stand:
        _, headers, _ = await free.chat(stand)
        assert headers["x-ratelimit-remaining-requests"] == "9999"


async def test_deciding_without_an_answer_counts_as_a_request(open_stand: OpenStand) -> None:
    desk = Desk(KeyTerms(requests_per_min=1))
    async with desk.stand(open_stand) as stand:
        assert (await stand.send("POST", "/v1/route", json=CHAT, headers=desk.headers))[0] == 200
        assert (await stand.send("POST", "/v1/route", json=CHAT, headers=desk.headers))[0] == 429
        assert desk.limits.n_under_way == 0


# ---------------------------------------------------------------- models and policies


async def test_a_key_is_routed_to_its_models_only_and_the_decision_says_so(open_stand: OpenStand) -> None:
    desk = Desk(KeyTerms(models=("spare",)))
    async with desk.stand(open_stand) as stand:
        status, headers, _ = await desk.chat(stand)
        assert (status, headers["x-pointsman-model"]) == (200, "spare")
        status, headers, _ = await desk.chat(stand, model="auto:best")
        assert (status, headers["x-pointsman-model"]) == (200, "spare")
        status, _, body = await desk.chat(stand, model="large")
        assert (status, body["error"]["code"]) == (403, "permission_denied")
        status, _, got = await stand.send("POST", "/v1/route", json=CHAT, headers=desk.headers)
        whys = {other["model"]: other["why"] for other in json.loads(got)["alternatives"]}
        assert whys["small"] == whys["large"] == "this key may not use it"
        _, _, got = await stand.send("GET", "/v1/models", headers=desk.headers)
        assert [entry["id"] for entry in json.loads(got)["data"]] == [
            "auto",
            "auto:auto",
            "auto:best",
            "claude-auto",
            "spare",
        ]
        assert (await stand.send("GET", "/v1/models/large", headers=desk.headers))[0] == 404
        assert {request.model for request in stand.upstream.requests} == {"spare-2026"}


async def test_no_header_tier_rule_or_fallback_widens_what_a_key_may_use(open_stand: OpenStand) -> None:
    desk = Desk(KeyTerms(models=("small",), policies=("auto",)))
    policies = {"hidden": FixedPolicy("hidden", "large")}
    script = {"small-2026": overloaded()}
    async with desk.stand(open_stand, script, policies=policies) as stand:
        for changed, sent, expected in (
            ({}, {"x-pointsman-tier": "strong"}, 503),
            ({}, {"x-pointsman-policy": "best"}, 403),
            ({"model": "auto:hidden"}, {}, 403),
            ({"model": "claude-auto"}, {}, 503),
        ):
            status, _, got = await stand.send(
                "POST", "/v1/chat/completions", json=CHAT | changed, headers=desk.headers | sent
            )
            assert status == expected, got
        assert {request.model for request in stand.upstream.requests} == {"small-2026"}


async def test_a_policy_that_names_a_model_outside_every_tier_is_held_to_the_key_too(open_stand: OpenStand) -> None:
    desk = Desk(KeyTerms(models=("small",)))
    policies = {"odd": FixedPolicy("odd", "spare")}
    tiers = (Tier("cheap", ("small",)), Tier("strong", ("large",)))
    async with desk.stand(open_stand, policies=policies, tiers=tiers) as stand:
        status, headers, _ = await desk.chat(stand, model="auto:odd")
    assert (status, headers["x-pointsman-model"]) == (200, "small")


async def test_a_key_without_the_default_policy_gets_the_first_of_its_own(open_stand: OpenStand) -> None:
    desk = Desk(KeyTerms(policies=("best",)))
    async with desk.stand(open_stand) as stand:
        status, headers, _ = await desk.chat(stand)
        assert (status, headers["x-pointsman-policy"], headers["x-pointsman-model"]) == (200, "best", "large")
        status, _, body = await desk.chat(stand, model="auto:auto")
        assert (status, body["error"]["type"]) == (403, "permission_error")
        async with stand.anthropic(api_key=desk.key) as client:
            with pytest.raises(anthropic.PermissionDeniedError):
                await client.messages.create(model="auto:auto", max_tokens=5, messages=HI)


async def test_a_body_cannot_change_a_keys_terms(open_stand: OpenStand) -> None:
    desk = Desk(KeyTerms(models=("small",), requests_per_min=2))
    body = CHAT | {"key_id": "admin", "models": ["large"], "usd_per_day": 1e9, "metadata": {"key_id": "admin"}}
    async with desk.stand(open_stand) as stand:
        for _ in range(2):
            await stand.send("POST", "/v1/chat/completions", json=body, headers=desk.headers)
        assert (await stand.send("POST", "/v1/chat/completions", json=body, headers=desk.headers))[0] == 429
        assert {record.key_id for record in stand.ledger.records} == {"alice"}


# ---------------------------------------------------------------- from the configuration, over a restart


CONFIG: dict[str, Any] = {
    "models": [
        {
            "name": "sim",
            "provider": "sim",
            "price": {"input_usd_per_mtok": 1_000, "output_usd_per_mtok": 1_000},
            "simulate": {"latency_ms": 0, "tokens_per_s": 1_000_000},
        },
        {"name": "unpriced", "provider": "sim"},
    ],
    "tiers": [{"name": "only", "models": ["unpriced", "sim"]}],
    "budgets": {"usd_per_month": 0.01},
}


async def ask(router: Router) -> str:
    completion = await router.complete(prompt="What is the capital of Portugal?", max_tokens=50)
    return completion.model


@pytest.mark.row("D2.44")
async def test_a_restart_does_not_give_the_budget_back(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    async with Router.from_config(CONFIG, ledger_url=url) as router:
        assert await ask(router) == "sim", "a model without a price serves nobody who has a budget"
        with pytest.raises(Exception, match="is spent"):
            await ask(router)
    async with Router.from_config(CONFIG, ledger_url=url) as router:
        assert isinstance(router.limits, MemoryLimits)
        assert router.limits.spent_usd(None, Window.MONTH) > 0.01
        with pytest.raises(Exception, match="is spent"):
            await ask(router)


async def test_the_configuration_sets_the_terms_of_every_kind_of_key(tmp_path: Path) -> None:
    settings = CONFIG | {
        "keys": {
            "clients": [{"name": "carol", "key": "key-of-carol", "requests_per_min": 7, "models": ["sim"]}],
            "admin_key": "key-of-admin",
        },
        "budgets": {"usd_per_day": 100, "key_usd_per_day": 2},
        "limits": {"key_requests_per_min": 60, "key_max_concurrent": 3},
    }
    parts = assembly.from_config(settings)
    own = KeyTerms(usd_per_day=9.0)
    limits = assembly.open_limits(parts, None, virtual={"alice": own}.get)
    defaults = KeyTerms(usd_per_day=2, requests_per_min=60, max_concurrent=3)
    assert limits.terms(None) == defaults
    assert limits.terms("admin") == KeyTerms()
    assert limits.terms("carol") == KeyTerms(models=("sim",), usd_per_day=2, requests_per_min=7, max_concurrent=3)
    assert limits.terms("alice") == KeyTerms(usd_per_day=9.0, requests_per_min=60, max_concurrent=3)
    assert limits.terms("gone") == defaults
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    assert assembly.open_limits(parts, ledger).n_under_way == 0
    ledger.close()
