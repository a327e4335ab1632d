"""Routing headers, and which conversation a request belongs to."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pointsman.errors import BadRequest
from pointsman.vocabulary import Dialect, Hints
from pointsman.wire import read_hints, read_request

CHAT, RESPONSES, MESSAGES = Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES, Dialect.ANTHROPIC_MESSAGES
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}]}


def test_all_hints_are_read() -> None:
    headers = {
        "x-pointsman-policy": "careful",
        "x-pointsman-max-quality-loss": "0.02",
        "x-pointsman-tier": "strong",
        "x-pointsman-session": "s-1",
        "x-pointsman-tags": "team:search, nightly,,nightly ",
        "content-type": "application/json",
    }
    assert read_hints(headers) == Hints("careful", 0.02, "strong", "s-1", ("team:search", "nightly"))
    assert read_hints({}) == Hints()
    assert read_hints({"x-pointsman-max-quality-loss": "0"}).max_quality_loss == 0.0


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("x-pointsman-max-quality-loss", "much"),
        ("x-pointsman-max-quality-loss", ""),
        ("x-pointsman-max-quality-loss", "nan"),
        ("x-pointsman-max-quality-loss", "-0.1"),
        ("x-pointsman-max-quality-loss", "1.01"),
        ("x-pointsman-policy", ""),
        ("x-pointsman-policy", "a\x00b"),
        ("x-pointsman-tier", "t" * 129),
        ("x-pointsman-session", "   "),
        ("x-pointsman-session", "s" * 513),
        ("x-pointsman-tags", ",".join(f"t{n}" for n in range(33))),
        ("x-pointsman-tags", "ok,bad\x07"),
    ],
)
def test_junk_in_a_hint_is_refused_by_header(header: str, value: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read_hints({header: value})
    assert caught.value.param == header


def session(dialect: Dialect, headers: dict[str, str] | None = None, **body: Any) -> str | None:
    raw = orjson.dumps({"model": "auto", **body})
    return read_request(dialect, raw, headers={} if headers is None else headers).session_id


def test_the_first_identity_present_wins() -> None:
    both = {"x-pointsman-session": "mine", "x-claude-code-session-id": "code"}
    assert session(MESSAGES, both, metadata={"user_id": "u"}, **HELLO) == "mine"
    del both["x-pointsman-session"]
    assert session(MESSAGES, both, metadata={"user_id": "u"}, **HELLO) == "code"
    assert session(MESSAGES, metadata={"user_id": "u"}, **HELLO) == "u"
    assert session(RESPONSES, input="x", conversation="conv_1", previous_response_id="resp_1") == "conv_1"
    assert session(RESPONSES, input="x", conversation={"id": "conv_2"}) == "conv_2"
    assert session(RESPONSES, input="x", previous_response_id="resp_1", user="u") == "resp_1"
    assert session(CHAT, **HELLO) is None
    assert session(MESSAGES, user="u", **HELLO) is None


def test_an_openai_user_has_one_session_for_each_opening() -> None:
    opening = [{"role": "system", "content": "S"}, {"role": "user", "content": "Hello"}]
    later = [*opening, {"role": "assistant", "content": "Hi"}, {"role": "user", "content": "More"}]
    other = [opening[0], {"role": "user", "content": "Another matter"}]
    first = session(CHAT, messages=opening, user="u")
    assert first is not None
    assert first.startswith("u:")
    assert session(CHAT, messages=later, user="u") == first
    assert session(CHAT, messages=other, user="u") != first
    assert session(CHAT, messages=opening, user="v") != first


def test_identities_of_odd_types_or_lengths_do_no_harm() -> None:
    assert session(MESSAGES, metadata={"user_id": 7}, **HELLO) is None
    assert session(MESSAGES, metadata="x", **HELLO) is None
    assert session(RESPONSES, input="x", conversation=["x"], user="") is None
    hashed = session(MESSAGES, metadata={"user_id": "u" * 100_000}, **HELLO)
    assert hashed is not None
    assert len(hashed) == 32
    assert session(MESSAGES, metadata={"user_id": "u" * 100_001}, **HELLO) != hashed


def test_given_hints_take_the_place_of_headers() -> None:
    raw = orjson.dumps({"model": "auto", **HELLO})
    request = read_request(CHAT, raw, headers={"x-pointsman-session": "header"}, hints=Hints(session="argument"))
    assert request.session_id == "argument"
    assert request.hints == Hints(session="argument")
