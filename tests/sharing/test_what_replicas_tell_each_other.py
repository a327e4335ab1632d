"""Conversations, held responses, circuit breakers, reloads and keys over two replicas that share one real Redis."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from tests.conftest import MakeModel, MakeRequest
from tests.fleet import Fleet, told, until
from tests.redis_server import RedisServer

from pointsman.call.breaker import BreakerPolicy, Permit, State
from pointsman.call.health import Health
from pointsman.call.held import Held
from pointsman.sharing import Sharing
from pointsman.vocabulary import Dialect, Hints, Request, Usage


def in_session(make_request: MakeRequest, session: str = "s1", key: str | None = "a") -> Request:
    return replace(make_request(hints=Hints(session=session)), session_id=session, key_id=key)


async def ask(replica: Sharing, request: Request, name: str = "r") -> None:
    await replica.admit(request, name, tokens=1, most_usd=None)


async def test_a_conversation_goes_on_at_another_replica_with_its_model_and_its_cache(
    redis: RedisServer, fleet: Fleet, make_request: MakeRequest, make_model: MakeModel
) -> None:
    request, model = in_session(make_request), make_model("strong-model")
    async with fleet.replicas(redis.url) as (one, other):
        now_s = asyncio.get_running_loop().time()
        usage = Usage(5_000, 10, cached_input_tokens=4_096)
        one.sessions.answered(request, model, usage, now_s)
        await told(one)
        await ask(other, request)
        state = other.sessions.of(request, now_s)
        known = one.sessions.of(request, now_s)
        assert state is not None and known is not None
        assert (state.model, state.served) == ("strong-model", ("strong-model",))
        assert state.cached["strong-model"].tokens == known.cached["strong-model"].tokens > 0
        assert abs(state.answered_s - known.answered_s) < 1.0
        # Another client's session of the same name is another conversation.
        stranger = in_session(make_request, key="b")
        await ask(other, stranger)
        assert other.sessions.of(stranger, now_s) is None


async def test_the_newest_answer_holds_wherever_it_was_given(
    redis: RedisServer, fleet: Fleet, make_request: MakeRequest, make_model: MakeModel
) -> None:
    request = in_session(make_request)
    async with fleet.replicas(redis.url) as (one, other):
        for replica, name in ((one, "small"), (other, "large"), (one, "spare")):
            await ask(replica, request)
            replica.sessions.answered(request, make_model(name), None, asyncio.get_running_loop().time())
            await told(replica)
        await ask(other, request)
        state = other.sessions.of(request, asyncio.get_running_loop().time())
        assert state is not None and state.served == ("small", "large", "spare")


async def test_one_script_takes_the_request_in_and_reads_its_conversation(
    redis: RedisServer, fleet: Fleet, make_request: MakeRequest
) -> None:
    async with fleet.replica(redis.url, beat_s=60.0) as replica:
        before = replica.told.n_calls
        await ask(replica, in_session(make_request))
        assert replica.told.n_calls - before == 1


async def test_names_of_sessions_do_not_reach_redis(
    redis: RedisServer, fleet: Fleet, make_request: MakeRequest, make_model: MakeModel
) -> None:
    request = in_session(make_request, "jane.doe@example.org")
    async with fleet.replica(redis.url) as replica:
        replica.sessions.answered(request, make_model(), None, 0.0)
        replica.held.put("resp_of_jane", Held("small", "a"))
        await told(replica)
        keys = redis.ask("KEYS", "*")
        assert b":session:" in keys and b":held:" in keys
        assert b"jane" not in keys


async def test_the_upstream_that_holds_a_response_is_known_to_all_until_it_is_deleted(
    redis: RedisServer, fleet: Fleet, make_request: MakeRequest
) -> None:
    follow_up = replace(
        make_request(dialect=Dialect.OPENAI_RESPONSES), body={"previous_response_id": "resp_1"}, key_id="a"
    )
    async with fleet.replicas(redis.url, 3) as (one, other, third):
        one.held.put("resp_1", Held("small", "a"))
        await told(one)
        await ask(other, follow_up)
        assert other.held.get("resp_1") == Held("small", "a")
        one.held.forget("resp_1")
        await told(one)
        await third.look_up_response("resp_1")
        assert third.held.get("resp_1") is None


async def test_a_circuit_that_opens_or_closes_at_one_replica_does_so_at_the_others(
    redis: RedisServer, fleet: Fleet, make_model: MakeModel
) -> None:
    model, policy = make_model("small"), BreakerPolicy(failures=2, open_s=0.2)
    here, there = Health(breaker=policy), Health(breaker=policy)
    async with fleet.replica(redis.url, health=here), fleet.replica(redis.url, health=there):
        mine, theirs = here.of(model), there.of(model)
        loop = asyncio.get_running_loop()
        for _ in range(2):
            mine.failed(Permit.CALL, loop.time())
        await until(lambda: theirs.state is State.OPEN)
        assert theirs.ask(loop.time()) is None
        await until(lambda: mine.ask(loop.time()) is Permit.PROBE)
        mine.answered(Permit.PROBE)
        await until(lambda: theirs.state is State.CLOSED)
        # A pause that a model asked for is kept by all, too.
        theirs.rest(30.0, loop.time())
        await until(lambda: mine.resting(loop.time()))
        assert 25.0 < mine.free_in_s(loop.time()) <= 30.0
        # Another model under the same name is another one.
        assert here.of(replace(model, provider_model="other")).state is State.CLOSED


async def test_what_one_replica_has_loaded_the_others_hear_of_once_and_it_does_not(
    redis: RedisServer, fleet: Fleet
) -> None:
    async with fleet.replicas(redis.url) as (one, other):
        heard: list[tuple[str, str]] = []

        def hears(who: str, replica: Sharing) -> None:
            async def config(digest: str) -> None:
                heard.append((who, digest))

            async def keys(revision: str) -> None:
                heard.append((who, f"keys {revision}"))

            replica.on_config, replica.on_keys = config, keys

        hears("one", one)
        hears("other", other)
        await one.beat()
        await other.beat()
        await one.announce_config("d1")
        await until(lambda: ("other", "d1") in heard)
        await other.announce_config("d1")
        await other.announce_keys(7)
        await until(lambda: ("one", "keys 7") in heard)
        for _ in range(3):
            await one.beat()
            await other.beat()
        assert heard == [("other", "d1"), ("one", "keys 7")]


async def test_a_replica_that_was_away_hears_what_it_has_missed(redis: RedisServer, fleet: Fleet) -> None:
    async with fleet.replicas(redis.url) as (one, other):
        heard: list[str] = []

        async def config(digest: str) -> None:
            heard.append(digest)

        other.on_config = config
        await other.beat()
        redis.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await until(lambda: one.present)
        await one.announce_config("d2")
        await until(lambda: heard == ["d2"])
