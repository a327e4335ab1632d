"""Errors in the words of each dialect, and the list of models in two shapes."""

from __future__ import annotations

import orjson
import pytest

from pointsman.vocabulary import Dialect
from pointsman.wire import CODECS, listing_dialect, write_model_list

CHAT, RESPONSES, MESSAGES = Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES, Dialect.ANTHROPIC_MESSAGES


@pytest.mark.parametrize(
    ("status", "openai", "anthropic"),
    [
        (400, "invalid_request_error", "invalid_request_error"),
        (401, "authentication_error", "authentication_error"),
        (402, "invalid_request_error", "billing_error"),
        (403, "permission_error", "permission_error"),
        (404, "invalid_request_error", "not_found_error"),
        (413, "invalid_request_error", "request_too_large"),
        (422, "invalid_request_error", "invalid_request_error"),
        (429, "rate_limit_error", "rate_limit_error"),
        (500, "server_error", "api_error"),
        (502, "server_error", "api_error"),
        (503, "server_error", "overloaded_error"),
        (504, "server_error", "timeout_error"),
        (529, "server_error", "overloaded_error"),
    ],
)
def test_the_type_follows_the_status(status: int, openai: str, anthropic: str) -> None:
    for dialect in (CHAT, RESPONSES):
        body = CODECS[dialect].write_error(status=status, code="some_code", message='Say "so".', param="messages[0]")
        error = {"message": 'Say "so".', "type": openai, "param": "messages[0]", "code": "some_code"}
        assert orjson.loads(body) == {"error": error}
    body = CODECS[MESSAGES].write_error(status=status, code="some_code", message='Say "so".', request_id="req_1")
    assert orjson.loads(body) == {
        "type": "error",
        "error": {"type": anthropic, "message": 'Say "so".'},
        "request_id": "req_1",
    }


def test_stream_errors_are_one_event_without_a_terminator() -> None:
    def event(dialect: Dialect, sequence_number: int = 0) -> tuple[bytes, object]:
        raw = CODECS[dialect].write_stream_error(
            status=502, code="upstream_broken", message="cut\noff", request_id="req_1", sequence_number=sequence_number
        )
        head, _, data = raw.partition(b"data: ")
        assert data.endswith(b"\n\n")
        assert raw.count(b"\n") == head.count(b"\n") + 2
        return head, orjson.loads(data)

    error = {"message": "cut\noff", "type": "server_error", "param": None, "code": "upstream_broken"}
    assert event(CHAT) == (b"", {"error": error})
    assert event(RESPONSES, 7) == (
        b"event: error\n",
        {"type": "error", "sequence_number": 7, "code": "upstream_broken", "message": "cut\noff", "param": None},
    )
    assert event(MESSAGES) == (
        b"event: error\n",
        {"type": "error", "error": {"type": "api_error", "message": "cut\noff"}, "request_id": "req_1"},
    )


@pytest.mark.parametrize("dialect", Dialect)
def test_our_own_stream_error_is_read_as_an_error(dialect: Dialect) -> None:
    codec = CODECS[dialect]
    event = codec.write_stream_error(status=504, code="upstream_timeout", message="too slow")
    reader = codec.stream(name="m")
    assert reader.feed(event) == event
    assert (reader.error, reader.started, reader.complete) == ("too slow", False, False)


def test_models_are_listed_in_two_shapes() -> None:
    openai = orjson.loads(write_model_list(["auto", "haiku"], CHAT))
    assert openai["object"] == "list"
    assert [(m["id"], m["object"], m["owned_by"]) for m in openai["data"]] == [
        ("auto", "model", "pointsman"),
        ("haiku", "model", "pointsman"),
    ]
    anthropic = orjson.loads(write_model_list(["auto", "haiku"], MESSAGES))
    assert [(m["id"], m["type"], m["display_name"]) for m in anthropic["data"]] == [
        ("auto", "model", "auto"),
        ("haiku", "model", "haiku"),
    ]
    assert (anthropic["first_id"], anthropic["last_id"], anthropic["has_more"]) == ("auto", "haiku", False)
    assert orjson.loads(write_model_list([], MESSAGES))["first_id"] is None


def test_the_shape_follows_the_clients_headers() -> None:
    assert listing_dialect({"anthropic-version": "2023-06-01"}) is MESSAGES
    assert listing_dialect({"authorization": "Bearer x"}) is CHAT
