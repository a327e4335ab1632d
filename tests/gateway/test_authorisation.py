"""Every route with every kind of key: the matrix is made from the route table, so that no route can be forgotten."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.gateway.keyring import Keyring

from pointsman.gateway import GatewayLimits, Keys, create_app
from pointsman.gateway.access import ACCESS, OTHER, Access, access_to

if TYPE_CHECKING:
    from tests.gateway.conftest import OpenStand, Stand

HI: list[Any] = [{"role": "user", "content": "Hi"}]
CHAT: dict[str, Any] = {"model": "auto", "messages": HI}

# What a good request to each route looks like, by method and pattern: (path, body).
REQUESTS: dict[tuple[str, str], tuple[str, Any]] = {
    ("GET", "/"): ("/", None),
    ("GET", "/healthz"): ("/healthz", None),
    ("GET", "/readyz"): ("/readyz", None),
    ("GET", "/metrics"): ("/metrics", None),
    ("POST", "/v1/chat/completions"): ("/v1/chat/completions", CHAT),
    ("POST", "/v1/responses"): ("/v1/responses", {"model": "auto", "input": "Hi"}),
    ("GET", "/v1/responses"): ("/v1/responses", None),
    ("POST", "/v1/messages"): ("/v1/messages", CHAT | {"max_tokens": 5}),
    ("POST", "/v1/messages/count_tokens"): ("/v1/messages/count_tokens", CHAT),
    ("POST", "/v1/responses/input_tokens"): ("/v1/responses/input_tokens", {"model": "auto", "input": "Hi"}),
    ("POST", "/v1/responses/compact"): ("/v1/responses/compact", {"model": "auto", "input": "Hi"}),
    ("POST", "/v1/embeddings"): ("/v1/embeddings", {"model": "small", "input": "Hi"}),
    ("POST", "/v1/moderations"): ("/v1/moderations", {"model": "small", "input": "Hi"}),
    ("POST", "/v1/completions"): ("/v1/completions", {"model": "auto", "prompt": "Hi"}),
    ("GET", "/v1/responses/{id}"): ("/v1/responses/resp_unknown", None),
    ("DELETE", "/v1/responses/{id}"): ("/v1/responses/resp_unknown", None),
    ("GET", "/v1/responses/{id}{rest}"): ("/v1/responses/resp_unknown/input_items", None),
    ("POST", "/v1/responses/{id}{rest}"): ("/v1/responses/resp_unknown/cancel", {}),
    ("GET", "/v1/models"): ("/v1/models", None),
    ("GET", "/v1/models/{id}"): ("/v1/models/auto", None),
    ("POST", "/v1/route"): ("/v1/route", CHAT),
    ("POST", "/v1/feedback"): ("/v1/feedback", {"request_id": "{request_id}", "score": 1}),
    ("GET", "/v1/decisions/{request_id}"): ("/v1/decisions/{request_id}", None),
    ("GET", OTHER): ("/nothing/here", None),
}
GOOD = {
    ("GET", "/v1/responses"): 405,
    ("POST", "/v1/feedback"): 202,
    ("GET", OTHER): 404,
    # Nobody holds this response; that another key's is as unknown has a test of its own.
    ("GET", "/v1/responses/{id}"): 404,
    ("DELETE", "/v1/responses/{id}"): 404,
    ("GET", "/v1/responses/{id}{rest}"): 404,
    ("POST", "/v1/responses/{id}{rest}"): 404,
}
CALLERS = ("nobody", "wrong", "alice", "bob", "expired", "revoked", "admin")


def routes(stand: Stand) -> set[tuple[str, str]]:
    table = create_app(stand.router).router.routes()
    # HEAD comes with every GET, by the same handler.
    found = {(route.method, route.resource.canonical) for route in table if route.resource is not None}
    return {(method, path) for method, path in found if method != "HEAD"} | {("GET", OTHER)}


def expected(method: str, pattern: str, caller: str) -> int:
    good = GOOD.get((method, pattern), 200)
    rule = ACCESS[pattern]
    if rule is Access.OPEN:
        return good
    if caller in ("nobody", "wrong", "expired", "revoked"):
        return 401
    if rule is Access.ADMIN and caller != "admin":
        return 403
    if pattern.startswith("/v1/responses/{id}") and caller == "admin":
        return 200  # The admin may ask any upstream for any response.
    return 404 if rule is Access.OWN and caller == "bob" else good


async def test_every_route_has_a_rule_and_a_request_in_this_test(stand: Stand) -> None:
    assert routes(stand) == set(REQUESTS)
    assert {pattern for _, pattern in routes(stand)} == set(ACCESS)
    assert access_to("/v1/a-route-without-a-rule") is Access.ADMIN


async def test_the_whole_matrix(open_stand: OpenStand) -> None:
    ring = Keyring()
    keys = {name: ring.add(name) for name in ("alice", "bob", "revoked")}
    keys["expired"] = ring.add("expired", expires_at=ring.clock.now() - timedelta(seconds=1))
    ring.revoke("revoked")
    keys |= {"admin": "key-of-admin", "wrong": keys["alice"][:-1] + "x"}
    virtual = ring.virtual()
    seen: dict[tuple[str, str, str], int] = {}
    limits = GatewayLimits(failed_auth_per_min=0)  # The matrix sends more wrong keys than a minute has room for.
    async with open_stand(
        keys=Keys(admin="key-of-admin", virtual=virtual), key_limits=ring.limits(virtual), limits=limits
    ) as stand:
        _, headers, _ = await stand.send(
            "POST", "/v1/chat/completions", json=CHAT, headers={"x-api-key": keys["alice"]}
        )
        of_alice = headers["x-pointsman-request-id"]
        for (method, pattern), (path, body) in REQUESTS.items():
            filled = body | {"request_id": of_alice} if pattern == "/v1/feedback" else body
            for caller in CALLERS:
                sent = {} if caller == "nobody" else {"Authorization": f"Bearer {keys[caller]}"}
                status, _, got = await stand.send(
                    method, path.replace("{request_id}", of_alice), json=filled, headers=sent
                )
                seen[method, pattern, caller] = status
                text = got.decode()
                assert not any(key in text for key in keys.values()), (method, pattern, caller)
                assert not any(key.digest.hex() in text for key in ring.keys.values())
        n_calls = len(stand.upstream.requests)
    assert seen == {
        (method, pattern, caller): expected(method, pattern, caller)
        for method, pattern in REQUESTS
        for caller in CALLERS
    }
    # Nine endpoints, three good keys, the admin's four looks at a response, and the first request: nobody else.
    assert n_calls == 1 + 9 * 3 + 4


@pytest.mark.parametrize(
    "path",
    [
        "//v1/chat/completions",
        "/v1//chat/completions",
        "/v1/chat/completions/",
        "/v1/chat%2fcompletions",
        "/V1/chat/completions",
        "/healthz/../v1/chat/completions",
        "/healthz/%2e%2e/metrics",
        "//metrics",
        "/metrics/",
        "/metrics%00",
    ],
)
async def test_no_way_of_writing_a_path_leads_past_the_key(open_stand: OpenStand, path: str) -> None:
    async with open_stand(keys=Keys({"alice": "key-of-alice"}, admin="key-of-admin")) as stand:
        status, _, got = await stand.send("POST", path, json=CHAT, headers={"Host": "a/healthz?"})
        assert status in (400, 401), got
        assert stand.upstream.requests == []


async def test_metrics_and_others_records_are_closed_where_keys_are_asked_and_there_is_no_admin(
    open_stand: OpenStand,
) -> None:
    async with open_stand(keys=Keys({"alice": "key-of-alice", "bob": "key-of-bob"})) as stand:
        alice, bob = {"x-api-key": "key-of-alice"}, {"x-api-key": "key-of-bob"}
        _, headers, _ = await stand.send("POST", "/v1/chat/completions", json=CHAT, headers=alice)
        path = f"/v1/decisions/{headers['x-pointsman-request-id']}"
        assert (await stand.send("GET", path, headers=bob))[0] == 404
        assert (await stand.send("GET", path, headers=alice))[0] == 200
        assert (await stand.send("GET", "/metrics", headers=alice))[0] == 403
