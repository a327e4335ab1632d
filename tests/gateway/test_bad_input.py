"""Bad input: a clear error in the caller's dialect, quickly, without a call upstream, and never a lost record."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from pointsman.gateway import GatewayLimits
from pointsman.testing import html_page
from pointsman.testing.script import Reply

if TYPE_CHECKING:
    from tests.gateway.conftest import OpenStand, Stand

PATHS = ("/v1/chat/completions", "/v1/responses", "/v1/messages")
DEEP = b"[" * 100_000 + b"]" * 100_000

UNREADABLE = {
    "empty": b"",
    "blank": b"  \n",
    "not JSON": b"hello",
    "a list": b"[]",
    "a string": b'"x"',
    "a number": b"1",
    "null": b"null",
    "trailing garbage": b'{"model":"auto"} x',
    "trailing comma": b'{"model":"auto",}',
    "invalid UTF-8": b'{"model":"\xff\xfe"}',
    "UTF-16": '{"model":"auto"}'.encode("utf-16"),
    "BOM": b'\xef\xbb\xbf{"model":"auto"}',
    "a lone surrogate": b'{"model":"auto","x":"\\ud800"}',
    "NaN": b'{"model":"auto","x":NaN}',
    "an infinite number": b'{"model":"auto","x":1e999}',
    "too deep": b'{"model":"auto","x":' + DEEP + b"}",
    "no model": b'{"messages":[],"input":"x"}',
    "model null": b'{"model":null}',
    "model a number": b'{"model":7}',
    "model empty": b'{"model":""}',
    "model of 1 MB": b'{"model":"' + b"x" * 2**20 + b'"}',
    "no messages": b'{"model":"auto"}',
    "messages null": b'{"model":"auto","messages":null,"input":null}',
    "messages a number": b'{"model":"auto","messages":3,"input":3}',
    "stream a string": b'{"model":"auto","messages":[],"input":"x","stream":"yes"}',
}


def checked(path: str, status: int, headers: Any, body: bytes, *, expected: int = 400) -> dict[str, Any]:
    """The error, after its form was checked."""
    assert status == expected, body
    assert headers["Content-Type"].startswith("application/json")
    assert headers["x-pointsman-request-id"].startswith("req_")
    assert headers["x-should-retry"] == "false"
    parsed = json.loads(body)
    error: dict[str, Any] = parsed["error"]
    assert isinstance(error["message"], str) and error["message"]
    if path.startswith("/v1/messages"):
        assert parsed["type"] == "error"
        assert parsed["request_id"] == headers["request-id"] == headers["x-pointsman-request-id"]
        assert set(error) >= {"type", "message"}
    else:
        assert headers["x-request-id"] == headers["x-pointsman-request-id"]
        assert set(error) == {"message", "type", "param", "code"}
    return error


@pytest.mark.parametrize("path", PATHS)
async def test_bodies_that_cannot_be_read(stand: Stand, path: str) -> None:
    for what, raw in UNREADABLE.items():
        status, headers, body = await stand.send("POST", path, data=raw)
        error = checked(path, status, headers, body)
        # Nothing of the body comes back, and nothing of how the gateway is made.
        assert "Traceback" not in error["message"] and len(error["message"]) < 400, what
    assert stand.upstream.requests == []
    records = await stand.ledger.wait_records(len(UNREADABLE))
    assert len(records) == len(UNREADABLE)
    assert {(record.status, record.http_status, record.error) for record in records} == {
        ("error", 400, "invalid_request")
    }
    assert {record.endpoint for record in records} == {path}
    assert all(record.prompt_json is None for record in records)


async def test_a_wrong_field_is_named(stand: Stand) -> None:
    _, _, body = await stand.send("POST", PATHS[0], data=b'{"model":7,"messages":[]}')
    assert json.loads(body)["error"]["param"] == "model"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("model", ["gpt-99", "../../etc/passwd", "auto\n", "ａｕｔｏ", "auto:none", "Auto"])
async def test_unknown_models(stand: Stand, path: str, model: str) -> None:
    body = {"model": model, "messages": [{"role": "user", "content": "x"}], "input": "x", "max_tokens": 5}
    error = checked(path, *await stand.send("POST", path, json=body), expected=404)
    assert "not configured" in error["message"]
    assert stand.upstream.requests == []
    (record,) = await stand.ledger.wait_records(1)
    assert (record.error, record.requested_model, record.http_status) == ("model_not_found", model, 404)


@pytest.mark.parametrize("path", PATHS)
async def test_a_body_above_the_limit_is_refused_by_its_length_and_by_its_bytes(
    open_stand: OpenStand, path: str
) -> None:
    async def pieces() -> Any:
        for _ in range(64):
            yield b" " * 1_024

    async with open_stand(limits=GatewayLimits(max_body_bytes=20_000)) as stand:
        checked(path, *await stand.send("POST", path, data=b" " * 20_001), expected=413)
        async with stand.session.post(
            stand.url + path, data=pieces(), headers={"Content-Type": "application/json"}
        ) as response:
            checked(path, response.status, response.headers, await response.read(), expected=413)
        records = await stand.ledger.wait_records(2)
        assert [record.http_status for record in records] == [413, 413]
        # The limit itself still passes: what is wrong with it is something else.
        checked(path, *await stand.send("POST", path, data=b" " * 20_000), expected=400)


async def test_a_prompt_of_20_mb_passes(stand: Stand) -> None:
    text = "All work and no play. " * 950_000
    status, _, _ = await stand.send(
        "POST", PATHS[0], json={"model": "auto", "messages": [{"role": "user", "content": text}]}
    )
    assert status == 200
    assert stand.upstream.requests[0].json["messages"][0]["content"] == text


async def test_a_length_that_lies_is_an_error_and_not_a_hang(open_stand: OpenStand) -> None:
    async with open_stand(limits=GatewayLimits(body_within_s=0.05)) as stand:
        host, port = stand.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{}"
        )
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 ")
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "x-unknown"])
async def test_compressed_bodies_are_refused_unread(stand: Stand, coding: str) -> None:
    bomb = gzip.compress(b" " * 2**22)
    headers = {"Content-Encoding": coding}
    checked(PATHS[0], *await stand.send("POST", PATHS[0], data=bomb, headers=headers), expected=415)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
        ({"Content-Type": "application/vnd.api+json"}, 200),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
    ],
)
async def test_only_json_is_taken_because_pages_can_post_anything_else(
    stand: Stand, headers: dict[str, str], expected: int
) -> None:
    raw = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "x"}]}).encode()
    status, _, _ = await stand.send("POST", PATHS[0], data=raw, headers=headers)
    assert status == expected


async def test_unknown_and_dangerous_fields_pass_and_are_never_obeyed(open_stand: OpenStand) -> None:
    async with open_stand() as stand, open_stand(html_page()) as trap:
        fields = {
            "api_base": trap.url,
            "base_url": trap.url,
            "api_key": "sk-other",
            "custom_llm_provider": "x",
            "extra_headers": {"x-evil": "1"},
            "mock_response": "free",
            "callbacks": ["os.system"],
            "x_unknown": {"a": [1]},
        }
        body = {"model": "auto", "messages": [{"role": "user", "content": "x"}]} | fields
        headers = {"x-forwarded-host": "evil", "cookie": "a=b", "x-evil": "2", "openai-organization": "org"}
        status, _, _ = await stand.send("POST", PATHS[0], json=body, headers=headers)
        assert status == 200
        sent = stand.upstream.requests[0]
        assert sent.json == body | {"model": "small-2026"}
        assert {name.lower() for name, _ in sent.headers}.isdisjoint(headers)
        assert sent.header("authorization") == "Bearer upstream-key"
        assert trap.upstream.requests == []


@pytest.mark.parametrize(
    "headers",
    [
        {"x-pointsman-max-quality-loss": "2"},
        {"x-pointsman-max-quality-loss": "nan"},
        {"x-pointsman-policy": "x" * 500},
        {"x-pointsman-tags": ",".join("abcdefghijklmnopqrstuvwxyz0123456789")},
    ],
)
async def test_headers_out_of_range(stand: Stand, headers: dict[str, str]) -> None:
    body = {"model": "auto", "messages": [{"role": "user", "content": "x"}]}
    error = checked(PATHS[0], *await stand.send("POST", PATHS[0], json=body, headers=headers))
    assert error["param"] in headers


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/nothing/here", 404, None),
        ("POST", "/v1/messages/", 404, None),
        ("POST", "//v1/messages", 404, None),
        ("POST", "/V1/messages", 404, None),
        ("POST", "/v1/audio/speech", 404, None),
        ("GET", "/v1/embeddings", 405, "POST"),
        ("GET", "/v1/chat/completions", 405, "POST"),
        ("DELETE", "/v1/messages", 405, "POST"),
        ("GET", "/v1/responses", 405, "POST"),
        ("PUT", "/v1/models", 405, "GET,HEAD"),
        ("PATCH", "/healthz", 405, "GET,HEAD"),
    ],
)
async def test_unknown_paths_and_methods(stand: Stand, method: str, path: str, status: int, allow: str | None) -> None:
    got_status, headers, body = await stand.send(method, path, json={})
    checked(path, got_status, headers, body, expected=status)
    assert headers.get("Allow", "").replace(" ", "") == ("" if allow is None else allow)


async def test_a_query_does_not_disturb(stand: Stand) -> None:
    body = {"model": "auto", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}
    status, _, _ = await stand.send("POST", "/v1/messages?beta=true", json=body)
    assert status == 200


async def test_a_websocket_is_refused_in_plain_json(stand: Stand) -> None:
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    status, got, body = await stand.send("GET", "/v1/responses", headers=headers)
    assert "POST /v1/responses" in checked("/v1/responses", status, got, body, expected=426)["message"]


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=["TLS", "no version", "two lengths", "length and chunked", "long header", "many headers", "long URL"],
)
async def test_bytes_that_are_no_request_end_the_connection_only(stand: Stand, raw: bytes) -> None:
    host, port = stand.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(raw)
        answer = await reader.read(100)
    except ConnectionError:
        answer = b""
    assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))
    writer.close()
    status, _, _ = await stand.send("GET", "/healthz")
    assert status == 200


async def test_an_error_page_of_the_upstream_is_not_passed_on(open_stand: OpenStand) -> None:
    page = Reply(status=400, body=b"<html>bad</html>", content_type="text/html")
    async with open_stand(page) as stand:
        body = {"model": "small", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}
        error = checked("/v1/messages", *await stand.send("POST", "/v1/messages", json=body))
        assert "html" not in error["message"]
