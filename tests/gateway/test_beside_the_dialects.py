"""Embeddings, moderations, text completions, token counts, held responses, and what else clients ask of a gateway."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import aiohttp
import openai
import pytest

if TYPE_CHECKING:
    from tests.gateway.conftest import OpenStand, Stand

from pointsman.gateway import Keys
from pointsman.testing import Reply
from pointsman.vocabulary import Dialect, Usage

CHAT, RESPONSES, MESSAGES = Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES, Dialect.ANTHROPIC_MESSAGES
HI: list[Any] = [{"role": "user", "content": "Hi"}]


def speaking(*dialects: Dialect) -> dict[str, tuple[Dialect, ...]]:
    return dict.fromkeys(("small", "large", "spare"), dialects)


# ---------------------------------------------------------------- embeddings


@pytest.mark.parametrize("encoding", ["float", "base64"])
async def test_embeddings_pass_through_byte_for_byte_but_for_the_model(stand: Stand, encoding: str) -> None:
    body = {"model": "small", "input": ["a", "b"], "encoding_format": encoding, "x_new": 1}
    status, headers, got = await stand.send("POST", "/v1/embeddings", json=body)
    assert status == 200
    assert got == stand.upstream.sent[0].body.replace(b"small-2026", b"small")
    assert stand.upstream.requests[0].path == "/v1/embeddings"
    assert stand.upstream.requests[0].json == body | {"model": "small-2026"}
    (record,) = await stand.ledger.wait_records(1)
    usage = json.loads(got)["usage"]["prompt_tokens"]
    assert (record.endpoint, record.status, record.usage) == ("/v1/embeddings", "ok", Usage(usage, 0))
    assert record.cost.usd == pytest.approx(usage / 1e6)
    assert headers["x-pointsman-model"] == "small"


async def test_the_openai_client_embeds_and_moderates(stand: Stand) -> None:
    async with stand.openai() as client:
        made = await client.embeddings.create(model="small", input=["a", "a", "b"])
        assert made.data[0].embedding == made.data[1].embedding != made.data[2].embedding
        # The SDK asks for base64 and unpacks it.
        assert stand.upstream.requests[0].json["encoding_format"] == "base64"
        judged = await client.moderations.create(input="hello")
        assert judged.results[0].flagged is False
        assert "model" not in stand.upstream.requests[1].json
        await client.moderations.create(model="omni-moderation-latest", input="hello")
        assert stand.upstream.requests[2].json["model"] == "omni-moderation-latest"
    records = await stand.ledger.wait_records(3)
    assert [record.cost.usd for record in records[1:]] == [0.0, 0.0]


async def test_no_policy_chooses_between_embeddings(stand: Stand) -> None:
    async with stand.openai() as client:
        with pytest.raises(openai.BadRequestError, match="name of one configured model"):
            await client.embeddings.create(model="auto", input="a")
        with pytest.raises(openai.NotFoundError, match="not configured"):
            await client.embeddings.create(model="text-embedding-9", input="a")
        with pytest.raises(openai.BadRequestError, match="input is missing"):
            await client.embeddings.create(model="small", input=None)  # type: ignore[arg-type]
    assert stand.upstream.requests == []


async def test_an_upstream_that_does_not_speak_openais_protocol_gets_no_embeddings(open_stand: OpenStand) -> None:
    async with open_stand(speak=speaking(MESSAGES)) as stand:
        body = {"model": "small", "input": "a"}
        status, _, got = await stand.send("POST", "/v1/embeddings", json=body)
        assert (status, json.loads(got)["error"]["code"]) == (400, "no_model_available")
        assert stand.upstream.requests == []


@pytest.mark.parametrize("body", [b'{"object":"list"}', b"<html>", b'{"error":{"message":"x"}}'])
async def test_what_holds_no_embeddings_is_not_passed_on(open_stand: OpenStand, body: bytes) -> None:
    async with open_stand(Reply(body=body)) as stand:
        status, _, got = await stand.send("POST", "/v1/embeddings", json={"model": "small", "input": "a"})
    assert (status, json.loads(got)["error"]["code"]) == (502, "upstream_broken")


# ---------------------------------------------------------------- text completions


@pytest.mark.parametrize(("model", "served"), [("large", "large"), ("auto", "small")])
async def test_text_completions(open_stand: OpenStand, model: str, served: str) -> None:
    async with open_stand(Reply(text="one two", usage=Usage(7, 2))) as stand, stand.openai() as client:
        whole = await client.completions.create(model=model, prompt="Count.")
        assert (whole.choices[0].text, whole.model) == ("one two", served)
        stream = await client.completions.create(model=model, prompt=["Count."], stream=True)
        chunks = [chunk async for chunk in stream]
        assert "".join(chunk.choices[0].text for chunk in chunks) == "one two"
        # The gateway asked for usage, and keeps it to itself.
        assert stand.upstream.requests[1].json["stream_options"] == {"include_usage": True}
        records = await stand.ledger.wait_records(2)
    assert [received.path for received in stand.upstream.requests] == ["/v1/completions"] * 2
    assert [(record.usage, record.endpoint) for record in records] == [(Usage(7, 2), "/v1/completions")] * 2


# ---------------------------------------------------------------- token counts


async def test_tokens_are_counted_by_the_upstream_that_can(stand: Stand) -> None:
    async with stand.anthropic() as client:
        counted = await client.messages.count_tokens(model="claude-auto", messages=HI)
    (received,) = stand.upstream.requests
    assert (received.path, received.model) == ("/v1/messages/count_tokens", "small-2026")
    assert received.header("anthropic-version") is not None
    assert counted.input_tokens == json.loads(stand.upstream.sent[0].body)["input_tokens"]
    assert stand.ledger.records == []


@pytest.mark.parametrize("reply", [Reply(status=404), Reply(status=500), Reply(body=b"", status=401)])
async def test_tokens_are_estimated_when_it_cannot(open_stand: OpenStand, reply: Reply) -> None:
    async with open_stand(reply) as stand, stand.anthropic() as client:
        counted = await client.messages.count_tokens(model="small", messages=HI)
        assert counted.input_tokens > 0
    async with open_stand(speak=speaking(CHAT)) as stand, stand.anthropic() as client:
        assert (await client.messages.count_tokens(model="small", messages=HI)) == counted
        assert stand.upstream.requests == []


async def test_what_the_upstream_says_of_a_bad_request_is_passed_on(open_stand: OpenStand) -> None:
    async with open_stand(Reply(status=400, error_message="messages: too odd")) as stand:
        body = {"model": "small", "messages": HI}
        status, _, got = await stand.send("POST", "/v1/messages/count_tokens", json=body)
    assert (status, json.loads(got)["error"]["message"]) == (400, "messages: too odd")


async def test_input_tokens_of_a_response(open_stand: OpenStand) -> None:
    async with open_stand() as stand, stand.openai() as client:
        assert (await client.responses.input_tokens.count(model="small", input="Hi")).input_tokens > 0
        assert stand.upstream.requests[0].path == "/v1/responses/input_tokens"
    async with open_stand(speak=speaking(CHAT)) as stand, stand.openai() as client:
        counted = await client.responses.input_tokens.count(model="small", input="Hi")
        assert (counted.input_tokens > 0, counted.object) == (True, "response.input_tokens")


# ---------------------------------------------------------------- held responses


async def test_a_response_is_fetched_and_deleted_where_it_is_held(stand: Stand) -> None:
    async with stand.openai() as client:
        made = await client.responses.create(model="large", input="Hi")
        found = await client.responses.retrieve(made.id)
        assert (found.id, found.model) == (made.id, "large")
        assert (await client.responses.input_items.list(made.id)).data == []
        assert (await client.responses.cancel(made.id)).status == "cancelled"
        await client.responses.delete(made.id)
    assert [(r.method, r.path) for r in stand.upstream.requests[1:]] == [
        ("GET", f"/v1/responses/{made.id}"),
        ("GET", f"/v1/responses/{made.id}/input_items"),
        ("POST", f"/v1/responses/{made.id}/cancel"),
        ("DELETE", f"/v1/responses/{made.id}"),
    ]
    assert all(r.header("authorization") == "Bearer upstream-key" for r in stand.upstream.requests)


async def test_a_streamed_response_is_known_too(stand: Stand) -> None:
    async with stand.openai() as client:
        async with client.responses.stream(model="large", input="Hi") as events:
            made = await events.get_final_response()
        assert (await client.responses.retrieve(made.id)).model == "large"


async def test_a_thread_stays_with_the_model_that_holds_it(open_stand: OpenStand) -> None:
    async with open_stand() as stand, stand.openai() as client:
        first = await client.responses.create(model="auto:best", input="Hi")
        assert first.model == "large"
        raw = await client.responses.with_raw_response.create(
            model="auto", input="Go on", previous_response_id=first.id
        )
        assert raw.headers["x-pointsman-model"] == "large"
        assert raw.headers["x-pointsman-reason"] == "large holds the response that this one continues"
        other = await client.responses.create(model="auto", input="Go on", previous_response_id="resp_unknown")
        assert other.model == "small"


async def test_responses_of_other_keys_are_not_found(open_stand: OpenStand) -> None:
    keys = Keys({"ada": "ada-key", "bob": "bob-key"}, admin="admin-key")
    async with open_stand(keys=keys) as stand:
        async with stand.openai(api_key="ada-key") as ada:
            made = await ada.responses.create(model="small", input="Hi")
            assert (await ada.responses.retrieve(made.id)).id == made.id
            with pytest.raises(openai.NotFoundError):
                await ada.responses.retrieve("resp_of_nobody")
        n = len(stand.upstream.requests)
        for path in (f"/v1/responses/{made.id}", f"/v1/responses/{made.id}/input_items"):
            assert (await stand.send("GET", path))[0] == 401
        async with stand.openai(api_key="bob-key") as bob:
            with pytest.raises(openai.NotFoundError):
                await bob.responses.retrieve(made.id)
            with pytest.raises(openai.NotFoundError):
                await bob.responses.delete(made.id)
        assert len(stand.upstream.requests) == n


async def test_an_unknown_response_is_looked_for_once_in_every_account(open_stand: OpenStand) -> None:
    async with open_stand(Reply(status=404)) as stand:
        status, _, got = await stand.send("GET", "/v1/responses/resp_before_the_restart")
        assert (status, json.loads(got)["error"]["code"]) == (404, "not_found")
        # Three models, one account.
        assert len(stand.upstream.requests) == 1
    async with open_stand() as stand:
        status, _, got = await stand.send("GET", "/v1/responses/resp_x?include=a&api_base=http://evil&stream=true")
        assert (status, stand.upstream.requests[0].query) == (200, "include=a")


@pytest.mark.parametrize("id_", ["a%2e%2e", "a%2Fb", "..%2f..%2fv1%2fmodels", "x" * 300, "a%3Fb"])
async def test_an_id_that_could_lead_elsewhere_is_not_looked_for(stand: Stand, id_: str) -> None:
    status, _, _ = await stand.send("GET", f"/v1/responses/{id_}")
    assert status == 404
    assert stand.upstream.requests == []


@pytest.mark.parametrize(("upstream", "told"), [(401, 502), (500, 502), (400, 400)])
async def test_errors_about_held_responses(open_stand: OpenStand, upstream: int, told: int) -> None:
    async with open_stand(Reply(status=upstream, error_message="about the key")) as stand:
        status, _, got = await stand.send("GET", "/v1/responses/resp_1")
    assert status == told
    assert ("about the key" in got.decode()) is (told == 400)


async def test_a_compaction_passes_through_and_is_recorded(stand: Stand) -> None:
    body = {"model": "small", "input": [{"role": "user", "content": "Hi"}]}
    status, _, got = await stand.send("POST", "/v1/responses/compact", json=body)
    assert (status, json.loads(got)["object"]) == (200, "response.compaction")
    (record,) = await stand.ledger.wait_records(1)
    assert (record.endpoint, record.usage) == ("/v1/responses/compact", Usage(9, 3))


# ---------------------------------------------------------------- what clients try first


async def test_what_clients_try_before_their_first_request(stand: Stand) -> None:
    assert (await stand.send("HEAD", "/"))[0] == 200
    for path in ("/v1/organizations", "/api/event_logging/batch", "/.well-known/x", "/v1/responses"):
        status, _, got = await stand.send("GET", path)
        assert status in (404, 405) and "error" in json.loads(got)
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await stand.session.ws_connect(stand.url + "/v1/responses")
    assert caught.value.status == 426


async def test_the_list_of_models_has_the_callers_shape(stand: Stand) -> None:
    _, _, raw = await stand.send("GET", "/v1/models", headers={"x-goog-api-key": "k"})
    names = [entry["name"] for entry in json.loads(raw)["models"]]
    assert names[:2] == ["models/auto", "models/auto:auto"] and "models/small" in names
    _, _, raw = await stand.send("GET", "/v1/models/small", headers={"x-goog-api-key": "k"})
    assert json.loads(raw)["name"] == "models/small"
    _, _, raw = await stand.send("GET", "/v1/models", headers={"anthropic-version": "2023-06-01", "x-api-key": "k"})
    assert json.loads(raw)["data"][0]["type"] == "model"
    _, _, raw = await stand.send("GET", "/v1/models")
    assert json.loads(raw)["object"] == "list"


async def test_limits_and_ids_of_the_provider_are_passed_down_across_dialects(open_stand: OpenStand) -> None:
    limits = {"anthropic-ratelimit-requests-remaining": "7", "x-ratelimit-limit-tokens": "9", "set-cookie": "a=b"}
    async with open_stand(Reply(headers=limits | {"request-id": "req_theirs"}), speak=speaking(MESSAGES)) as stand:
        body = {"model": "auto", "messages": HI}
        _, headers, _ = await stand.send("POST", "/v1/chat/completions", json=body)
    assert headers["anthropic-ratelimit-requests-remaining"] == "7"
    assert headers["x-ratelimit-limit-tokens"] == "9"
    assert headers["x-request-id"] == headers["x-pointsman-request-id"] != "req_theirs"
    assert "set-cookie" not in headers
