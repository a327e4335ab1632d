"""Every endpoint beside the completions, the headers of answers, and the keys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from pointsman.decide import LlmClassifierPolicy, ThresholdPolicy
from pointsman.errors import AuthenticationError, ConfigError
from pointsman.gateway import Keys, create_app
from pointsman.gateway.auth import Caller
from pointsman.gateway.headers import retry_after, safe, usd
from pointsman.gateway.route import detect
from pointsman.gateway.server import check_bind
from pointsman.testing import Reply, StallAfter, rate_limited
from pointsman.vocabulary import Dialect, Usage

if TYPE_CHECKING:
    from tests.gateway.conftest import OpenStand, Stand

HI: list[Any] = [{"role": "user", "content": "Hi"}]
CHAT = {"model": "auto", "messages": HI}


# ---------------------------------------------------------------- headers of answers


async def test_what_an_answer_tells_in_its_headers(open_stand: OpenStand) -> None:
    async with open_stand(Reply(text="a", usage=Usage(1_000, 500))) as stand:
        _, headers, _ = await stand.send("POST", "/v1/chat/completions", json=CHAT)
        _, streamed, _ = await stand.send("POST", "/v1/chat/completions", json=CHAT | {"stream": True})
    assert headers["x-pointsman-model"] == "small"
    assert headers["x-pointsman-tier"] == "cheap"
    assert headers["x-pointsman-policy"] == "auto"
    assert unquote(headers["x-pointsman-reason"]) == "policy auto always uses cheap"
    # 1,000 tokens in at 1 USD per million, 500 out at 2; the baseline costs the same in this test.
    assert headers["x-pointsman-cost-usd"] == "0.002"
    assert headers["x-pointsman-saved-usd"] == "0"
    assert "x-pointsman-decision" not in headers
    # Of a stream, cost and savings are not known when its headers go out.
    assert streamed["x-pointsman-tier"] == "cheap"
    assert "x-pointsman-cost-usd" not in streamed and "x-pointsman-saved-usd" not in streamed


async def test_debug_adds_the_whole_decision(stand: Stand) -> None:
    _, headers, _ = await stand.send("POST", "/v1/chat/completions", json=CHAT, headers={"x-pointsman-debug": "1"})
    decision = json.loads(headers["x-pointsman-decision"])
    assert (decision["model"], decision["policy_kind"]) == ("small", "fixed")
    assert {other["model"] for other in decision["alternatives"]} == {"small", "large", "spare"}


async def test_limits_of_the_provider_pass_down_and_its_request_id_does_not(open_stand: OpenStand) -> None:
    headers = {"x-ratelimit-remaining-requests": "7", "x-request-id": "theirs", "set-cookie": "a=b", "server": "x"}
    async with open_stand(Reply(headers=headers)) as stand:
        _, got, _ = await stand.send("POST", "/v1/chat/completions", json=CHAT)
    assert got["x-ratelimit-remaining-requests"] == "7"
    assert got["x-request-id"] == got["x-pointsman-request-id"] != "theirs"
    assert "set-cookie" not in got


@given(st.text())
def test_any_text_is_safe_in_a_header_and_can_be_read_back(text: str) -> None:
    out = safe(text)
    assert out.isascii() and (out == "" or out.isprintable())
    if not any(0xD800 <= ord(letter) <= 0xDFFF for letter in text):
        assert unquote(out) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0.0, "0"), (0.002, "0.002"), (1e-7, "0.0000001"), (12.5, "12.5"), (-0.25, "-0.25"), (100, "100")],
)
def test_amounts_have_no_exponent(amount: float, text: str) -> None:
    assert usd(amount) == text


def test_waiting_times_are_rounded_up() -> None:
    assert retry_after(None) == {}
    assert [retry_after(seconds)["Retry-After"] for seconds in (0.0, 0.1, 7.0, 7.01)] == ["0", "1", "7", "8"]


# ---------------------------------------------------------------- models


async def test_the_model_list_has_the_form_that_the_client_knows(stand: Stand) -> None:
    _, _, openai_form = await stand.send("GET", "/v1/models")
    _, headers, anthropic_form = await stand.send("GET", "/v1/models", headers={"anthropic-version": "2023-06-01"})
    assert [entry["id"] for entry in json.loads(openai_form)["data"]] == list(stand.router.names)
    parsed = json.loads(anthropic_form)
    assert (parsed["first_id"], parsed["has_more"], parsed["data"][0]["type"]) == ("auto", False, "model")
    assert headers["request-id"] == headers["x-pointsman-request-id"]


async def test_one_model(stand: Stand) -> None:
    status, _, body = await stand.send("GET", "/v1/models/auto:best")
    assert (status, json.loads(body)["id"]) == (200, "auto:best")
    for name in ("none", "a/b", "auto%2Fx"):
        status, _, body = await stand.send("GET", f"/v1/models/{name}")
        assert (status, json.loads(body)["error"]["code"]) == (404, "model_not_found")


# ---------------------------------------------------------------- route


@pytest.mark.parametrize(
    ("body", "headers", "dialect"),
    [
        ({"input": "Hi"}, {}, Dialect.OPENAI_RESPONSES),
        ({"messages": HI}, {}, Dialect.OPENAI_CHAT),
        ({"messages": HI, "max_tokens": 5}, {}, Dialect.OPENAI_CHAT),
        ({"messages": HI, "system": "Be short."}, {}, Dialect.ANTHROPIC_MESSAGES),
        ({"messages": HI, "max_tokens": 5}, {"anthropic-version": "1"}, Dialect.ANTHROPIC_MESSAGES),
        ([], {}, Dialect.OPENAI_CHAT),
    ],
)
def test_the_form_of_a_request_is_told_by_its_shape(body: Any, headers: dict[str, str], dialect: Dialect) -> None:
    assert detect(json.dumps(body).encode(), headers) is dialect


def test_what_is_not_json_is_left_to_the_reader() -> None:
    assert detect(b"{", {}) is Dialect.OPENAI_CHAT


@pytest.mark.parametrize("body", [{"messages": HI}, {"input": "Hi"}, {"messages": HI, "system": "x", "max_tokens": 5}])
async def test_route_decides_and_calls_nothing(stand: Stand, body: dict[str, Any]) -> None:
    status, headers, got = await stand.send("POST", "/v1/route", json={"model": "auto:best"} | body)
    decision = json.loads(got)
    assert (status, decision["model"], decision["tier"]) == (200, "large", "strong")
    assert decision["request_id"] == headers["x-pointsman-request-id"]
    assert decision["reason"] and decision["alternatives"]
    assert stand.upstream.requests == []
    assert stand.ledger.records == []


async def test_route_asks_the_classifier_of_a_policy_and_its_cost_is_on_record_and_in_the_metrics(
    open_stand: OpenStand,
) -> None:
    smart = LlmClassifierPolicy("smart", ThresholdPolicy("smart", threshold=0.5))
    asked = {"spare-2026": Reply(text="cheap", usage=Usage(300, 1))}
    async with open_stand(asked, policies={"smart": smart}, classifiers={"smart": "spare"}) as stand:
        body = CHAT | {"model": "auto:smart"}
        _, _, got = await stand.send("POST", "/v1/route", json=body)
        _, headers, _ = await stand.send("POST", "/v1/chat/completions", json=body)
        _, _, text = await stand.send("GET", "/metrics")
        models = [request.model for request in stand.upstream.requests]
    decision = json.loads(got)
    assert (decision["tier"], decision["reason_code"]) == ("cheap", "classifier")
    assert decision["router_cost_usd"] == pytest.approx(0.000302)
    assert models == ["spare-2026", "small-2026"], "the second request is remembered"
    assert unquote(headers["x-pointsman-reason"]) == "spare said of the same request before that cheap is enough"
    [route, answered] = stand.ledger.records
    assert (route.endpoint, route.router_cost_usd) == ("/v1/route", decision["router_cost_usd"])
    assert (answered.router_cost_usd, answered.status) == (0.0, "ok")
    samples = [sample for family in text_string_to_metric_families(text.decode()) for sample in family.samples]
    assert [s.value for s in samples if s.name == "pointsman_router_cost_usd_total"] == [pytest.approx(0.000302)]


async def test_route_takes_a_dialect_by_name(stand: Stand) -> None:
    body = {"model": "auto", "messages": HI, "max_tokens": 5}
    assert (await stand.send("POST", "/v1/route?dialect=anthropic-messages", json=body))[0] == 200
    status, _, got = await stand.send("POST", "/v1/route?dialect=telegraph", json=body)
    assert (status, json.loads(got)["error"]["param"]) == (400, "dialect")
    assert (await stand.send("POST", "/v1/route", json={"model": "none", "messages": HI}))[0] == 404
    assert (await stand.send("POST", "/v1/route", data=b"{"))[0] == 400


# ---------------------------------------------------------------- decisions and feedback


async def test_a_request_can_be_looked_up_and_judged(stand: Stand) -> None:
    _, headers, _ = await stand.send("POST", "/v1/chat/completions", json=CHAT)
    request_id = headers["x-pointsman-request-id"]
    status, _, got = await stand.send(
        "POST", "/v1/feedback", json={"request_id": request_id, "score": 1, "comment": "good"}
    )
    assert (status, json.loads(got)) == (202, {"request_id": request_id, "accepted": True})
    assert (await stand.send("POST", "/v1/feedback", json={"request_id": request_id, "label": "bad"}))[0] == 202
    status, _, got = await stand.send("GET", f"/v1/decisions/{request_id}")
    record = json.loads(got)
    assert (status, record["decision"]["model"], record["status"]) == (200, "small", "ok")
    assert [(said["score"], said["label"]) for said in record["feedback"]] == [(1.0, None), (None, "bad")]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "request_id"),
        ({"request_id": 7, "score": 1}, "request_id"),
        ({"request_id": "x" * 200, "score": 1}, "request_id"),
        ({"request_id": "x"}, "score"),
        ({"request_id": "x", "score": 0.5, "label": "good"}, "score"),
        ({"request_id": "x", "score": 1.01}, "score"),
        ({"request_id": "x", "score": -1}, "score"),
        ({"request_id": "x", "score": True}, "score"),
        ({"request_id": "x", "score": "1"}, "score"),
        ({"request_id": "x", "label": ""}, "label"),
        ({"request_id": "x", "label": "a\x00"}, "label"),
        ({"request_id": "x", "score": 1, "comment": "c" * 10_001}, "comment"),
    ],
)
async def test_feedback_that_cannot_be_taken(stand: Stand, body: dict[str, Any], param: str) -> None:
    status, _, got = await stand.send("POST", "/v1/feedback", json=body)
    assert (status, json.loads(got)["error"]["param"]) == (400, param)
    assert stand.ledger.feedback == []


async def test_unknown_requests(stand: Stand) -> None:
    assert (await stand.send("GET", "/v1/decisions/req_none"))[0] == 404
    assert (await stand.send("POST", "/v1/feedback", json={"request_id": "req_none", "score": 1}))[0] == 404
    assert (await stand.send("POST", "/v1/feedback", data=b"[]"))[0] == 400
    assert (await stand.send("POST", "/v1/feedback", data=b"x"))[0] == 400


# ---------------------------------------------------------------- health and metrics


async def test_health_and_readiness(stand: Stand) -> None:
    assert (await stand.send("GET", "/healthz"))[2] == b'{"status":"ok"}'
    status, _, body = await stand.send("GET", "/readyz")
    assert (status, json.loads(body)["ready"]) == (200, True)


async def metrics_of(stand: Stand) -> dict[tuple[str, tuple[str, ...]], float]:
    status, headers, body = await stand.send("GET", "/metrics")
    assert status == 200 and headers["Content-Type"].startswith("text/plain")
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


async def test_metrics_count_requests_decisions_money_and_errors(open_stand: OpenStand) -> None:
    async with open_stand([Reply(text="a", usage=Usage(1_000, 500)), rate_limited()]) as stand:
        await stand.send("POST", "/v1/chat/completions", json=CHAT)
        await stand.send("POST", "/v1/messages", json=CHAT | {"max_tokens": 5, "model": "small"})
        await stand.send("POST", "/v1/responses", data=b"{")
        await stand.send("GET", "/made/up/by/a/scanner")
        seen = await metrics_of(stand)
    assert seen["pointsman_requests_total", ("/v1/chat/completions", "200")] == 1
    assert seen["pointsman_requests_total", ("/v1/messages", "429")] == 1
    assert seen["pointsman_requests_total", ("/v1/responses", "400")] == 1
    assert seen["pointsman_requests_total", ("other", "404")] == 1
    assert seen["pointsman_decisions_total", ("fixed", "fixed", "cheap")] == 1
    assert seen["pointsman_cost_usd_total", ("cheap",)] == pytest.approx(0.002)
    assert seen["pointsman_errors_total", ("upstream_refused",)] == 1
    assert seen["pointsman_errors_total", ("invalid_request",)] == 1
    assert seen["pointsman_requests_under_way", ()] == 1
    assert seen["pointsman_first_byte_seconds_count", ("/v1/chat/completions",)] == 1
    assert not any("scanner" in label for _, labels in seen for label in labels)


async def test_a_client_that_left_is_counted(open_stand: OpenStand) -> None:
    async with open_stand(Reply(fault=StallAfter(2))) as stand:
        async with stand.session.post(stand.url + "/v1/chat/completions", json=CHAT | {"stream": True}) as response:
            await response.content.readany()
            response.close()
        await stand.upstream.wait_cancelled()
        await stand.ledger.wait_records(1)
        seen = await metrics_of(stand)
    assert seen["pointsman_clients_left_total", ("/v1/chat/completions",)] == 1


async def test_two_applications_in_one_process_do_not_know_of_each_other(open_stand: OpenStand) -> None:
    async with open_stand() as one, open_stand() as other:
        await one.send("POST", "/v1/chat/completions", json=CHAT)
        first, second = await metrics_of(one), await metrics_of(other)
    assert first["pointsman_requests_total", ("/v1/chat/completions", "200")] == 1
    assert ("pointsman_requests_total", ("/v1/chat/completions", "200")) not in second
    assert other.ledger.records == []


# ---------------------------------------------------------------- keys

KEYS = Keys({"alice": "key-of-alice", "bob": "key-of-bob"}, admin="key-of-admin")
ENDPOINTS = (
    ("POST", "/v1/chat/completions", CHAT),
    ("POST", "/v1/responses", {"model": "auto", "input": "Hi"}),
    ("POST", "/v1/messages", CHAT | {"max_tokens": 5}),
    ("GET", "/v1/models", None),
    ("GET", "/v1/models/auto", None),
    ("POST", "/v1/route", CHAT),
    ("POST", "/v1/messages/count_tokens", CHAT),
    ("POST", "/v1/responses/input_tokens", {"model": "auto", "input": "Hi"}),
    ("POST", "/v1/responses/compact", {"model": "auto", "input": "Hi"}),
    ("POST", "/v1/embeddings", {"model": "small", "input": "Hi"}),
    ("POST", "/v1/completions", {"model": "auto", "prompt": "Hi"}),
    ("POST", "/v1/moderations", {"input": "Hi"}),
)


@pytest.mark.parametrize(("method", "path", "body"), ENDPOINTS)
@pytest.mark.parametrize("header", ["Authorization", "x-api-key", "x-goog-api-key"])
async def test_every_endpoint_takes_a_key_in_every_usual_header(
    open_stand: OpenStand, method: str, path: str, body: Any, header: str
) -> None:
    async with open_stand(keys=KEYS) as stand:
        for key, expected in (("key-of-alice", 200), ("key-of-admin", 200), ("key-of-mallory", 401), ("", 401)):
            sent = {header: f"Bearer {key}" if header == "Authorization" else key}
            status, _, got = await stand.send(method, path, json=body, headers=sent)
            assert status == expected, got
            if expected == 401:
                assert json.loads(got)["error"]["type"] == "authentication_error"
                assert "mallory" not in got.decode()
        assert (await stand.send(method, path, json=body))[0] == 401
        assert {record.key_id for record in stand.ledger.records} <= {"alice", "admin"}


async def test_health_needs_no_key_and_metrics_the_admin_key(open_stand: OpenStand) -> None:
    async with open_stand(keys=KEYS) as stand:
        assert (await stand.send("GET", "/healthz"))[0] == 200
        assert (await stand.send("GET", "/readyz"))[0] == 200
        for key, expected in (("key-of-alice", 403), ("key-of-admin", 200), ("x", 401)):
            assert (await stand.send("GET", "/metrics", headers={"x-api-key": key}))[0] == expected
        assert (await stand.send("GET", "/nothing"))[0] == 401


async def test_a_record_is_shown_to_its_own_key_and_to_the_admin_only(open_stand: OpenStand) -> None:
    async with open_stand(keys=KEYS) as stand:
        _, headers, _ = await stand.send(
            "POST", "/v1/chat/completions", json=CHAT, headers={"x-api-key": "key-of-alice"}
        )
        request_id = headers["x-pointsman-request-id"]
        for key, expected in (("key-of-alice", 200), ("key-of-bob", 404), ("key-of-admin", 200)):
            sent = {"x-api-key": key}
            status, _, got = await stand.send("GET", f"/v1/decisions/{request_id}", headers=sent)
            assert status == expected
            assert "key-of" not in got.decode()
            body = {"request_id": request_id, "score": 1}
            status, _, _ = await stand.send("POST", "/v1/feedback", json=body, headers=sent)
            assert status == (202 if expected == 200 else 404)
    assert stand.ledger.records[0].key_id == "alice"


def test_who_a_key_belongs_to() -> None:
    assert KEYS.caller({"authorization": "bearer key-of-bob"}) == Caller("bob", False)
    assert KEYS.caller({"x-api-key": "key-of-admin"}) == Caller("admin", True)
    # Claude Code may send a token of another service beside the key.
    assert KEYS.caller({"authorization": "Bearer other", "x-api-key": "key-of-bob"}) == Caller("bob", False)
    for headers in (
        {},
        {"authorization": "Basic a2V5LW9mLWJvYg=="},
        {"authorization": "key-of-bob"},
        {"x-api-key": "key-of-bob\x00"},
        {"x-api-key": "' OR 1=1 --"},
        {"x-api-key": "k" * 1_000_000},
        {"x-api-key": "ké\udcff"},
        {"authorization": "Bearer key-of-alice", "x-api-key": "key-of-bob"},
    ):
        with pytest.raises(AuthenticationError):
            KEYS.caller(headers)


def test_without_client_keys_nothing_is_asked_but_the_admin_key_still_rules() -> None:
    assert Keys().caller({"x-api-key": "anything"}) == Caller(None, True)
    keys = Keys(admin="key-of-admin")
    assert keys.caller({}) == Caller(None, False)
    assert keys.caller({"x-api-key": "key-of-admin"}) == Caller("admin", True)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "gateway.example", ""])
def test_a_public_address_needs_keys(host: str) -> None:
    with pytest.raises(ConfigError, match="keys"):
        check_bind(host, has_keys=False)
    check_bind(host, has_keys=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_an_address_of_this_machine_needs_none(host: str) -> None:
    check_bind(host, has_keys=False)


def test_no_route_is_forgotten_in_the_key_tests(stand: Stand) -> None:
    app = create_app(stand.router)
    tested = {path for _, path, _ in ENDPOINTS} | {
        "/v1/models/{id}",
        "/v1/responses/{id}",
        "/v1/responses/{id}{rest}",
        "/v1/decisions/{request_id}",
        "/v1/feedback",
        "/healthz",
        "/readyz",
        "/metrics",
        "/",
    }
    assert {resource.canonical for resource in app.router.resources()} | {"/v1/models/auto"} == tested
