"""The client's bytes go on; only `model`, and what was asked to change, changes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.vocabulary import Dialect
from pointsman.wire import CODECS, read_request

CHAT, RESPONSES, MESSAGES = Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES, Dialect.ANTHROPIC_MESSAGES
TAIL = b'"messages":[{"role":"user","content":"x"}]'


def write(
    raw: bytes, dialect: Dialect = CHAT, model: str = "gpt-4o", ask_usage: bool = False, stream: bool | None = None
) -> bytes:
    request = read_request(dialect, raw)
    return CODECS[dialect].write_request(request, provider_model=model, ask_usage=ask_usage, stream=stream)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"model":"auto",' + TAIL + b"}", b'{"model":"gpt-4o",' + TAIL + b"}"),
        (b' {\n  "model" : "auto" ,\t' + TAIL + b" }\r\n", b' {\n  "model" : "gpt-4o" ,\t' + TAIL + b" }\r\n"),
        (b'{"model":"a","model":"b",' + TAIL + b"}", b'{"model":"gpt-4o","model":"gpt-4o",' + TAIL + b"}"),
        (b'{"mod\\u0065l":"auto",' + TAIL + b"}", b'{"mod\\u0065l":"gpt-4o",' + TAIL + b"}"),
        (
            b'{"metadata":{"model":"keep"},'
            + TAIL
            + b',"model":"auto","tools":[{"type":"x","model":{"model":"keep"}}]}',
            b'{"metadata":{"model":"keep"},'
            + TAIL
            + b',"model":"gpt-4o","tools":[{"type":"x","model":{"model":"keep"}}]}',
        ),
        (
            b'{"x":"\\"model\\":\\"keep\\\\",' + TAIL + b',"model":"\\u0061uto","n":1}',
            b'{"x":"\\"model\\":\\"keep\\\\",' + TAIL + b',"model":"gpt-4o","n":1}',
        ),
        (
            b'{"big":12345678901234567890123,"float":1.0e-7,"model":"auto",' + TAIL + b"}",
            b'{"big":12345678901234567890123,"float":1.0e-7,"model":"gpt-4o",' + TAIL + b"}",
        ),
    ],
)
def test_only_the_model_changes(before: bytes, after: bytes) -> None:
    assert write(before) == after


def test_a_model_name_is_written_as_json() -> None:
    raw = b'{"model":"auto",' + TAIL + b"}"
    assert orjson.loads(write(raw, model='quo"te\\é\n'))["model"] == 'quo"te\\é\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            b'{"model":"m","stream":true,' + TAIL + b"}",
            b'{"stream_options":{"include_usage":true},"model":"m","stream":true,' + TAIL + b"}",
        ),
        (
            b'{"model":"m","stream":true,"stream_options":null,' + TAIL + b"}",
            b'{"model":"m","stream":true,"stream_options":{"include_usage":true},' + TAIL + b"}",
        ),
        (
            b'{"model":"m","stream":true,"stream_options":{ },' + TAIL + b"}",
            b'{"model":"m","stream":true,"stream_options":{"include_usage":true },' + TAIL + b"}",
        ),
        (
            b'{"model":"m","stream":true,"stream_options":{"include_obfuscation":false},' + TAIL + b"}",
            b'{"model":"m","stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false},'
            + TAIL
            + b"}",
        ),
        (
            b'{"model":"m","stream":true,"stream_options":{"x":{"include_usage":0},"include_usage": false},'
            + TAIL
            + b"}",
            b'{"model":"m","stream":true,"stream_options":{"x":{"include_usage":0},"include_usage": true},'
            + TAIL
            + b"}",
        ),
    ],
)
def test_a_chat_stream_is_asked_for_usage(before: bytes, after: bytes) -> None:
    assert write(before, model="m", ask_usage=True) == after
    assert orjson.loads(after)["stream_options"]["include_usage"] is True


@pytest.mark.parametrize(
    ("dialect", "raw"),
    [
        (CHAT, b'{"model":"m","stream":true,"stream_options":{"include_usage":true},' + TAIL + b"}"),
        (CHAT, b'{"model":"m","stream":false,' + TAIL + b"}"),
        (CHAT, b'{"model":"m",' + TAIL + b"}"),
        (RESPONSES, b'{"model":"m","stream":true,"input":"x"}'),
        (MESSAGES, b'{"model":"m","stream":true,' + TAIL + b"}"),
    ],
)
def test_nothing_is_added_where_usage_comes_anyway(dialect: Dialect, raw: bytes) -> None:
    assert write(raw, dialect, model="m", ask_usage=True) == raw


def test_stream_can_be_overridden() -> None:
    assert write(b'{"model":"m","stream":true,' + TAIL + b"}", model="m", stream=False) == (
        b'{"model":"m","stream":false,' + TAIL + b"}"
    )
    assert write(b'{"model":"m",' + TAIL + b"}", model="m", stream=False) == b'{"model":"m",' + TAIL + b"}"
    turned_on = orjson.loads(write(b'{"model":"m",' + TAIL + b"}", model="m", stream=True, ask_usage=True))
    assert turned_on["stream"] is True
    assert turned_on["stream_options"] == {"include_usage": True}


def test_a_megabyte_is_edited_in_place() -> None:
    noise = 'say "model": \\ and {[ '
    tools = [{"type": "function", "function": {"name": f"f{n}", "parameters": {"model": n}}} for n in range(500)]
    body = {"messages": [{"role": "user", "content": noise * 50_000}], "tools": tools, "model": "auto"}
    raw = orjson.dumps(body)
    assert len(raw) > 1_000_000
    assert write(raw) == raw[: -len(b'"auto"}')] + b'"gpt-4o"}'


numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
names = st.sampled_from(["model", "stream_options", "include_usage", "a"]) | st.text(max_size=4)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=10,
)


@given(
    extra=st.dictionaries(st.text(max_size=6), values, max_size=4),
    options=st.none() | st.dictionaries(st.sampled_from(["include_usage", "x"]), values, max_size=2),
    stream=st.booleans(),
    model=st.text(min_size=1, max_size=10),
    order=st.randoms(use_true_random=False),
    dialect=st.sampled_from(Dialect),
)
def test_every_other_field_survives(
    extra: dict[str, Any],
    options: dict[str, Any] | None,
    stream: bool,
    model: str,
    order: Any,
    dialect: Dialect,
) -> None:
    known = {"model": "auto", "stream": stream, "messages": [{"role": "user", "content": "x"}], "input": "x"}
    taken = {"tools", "functions", "n", "system", "instructions", "max_tokens", "max_completion_tokens"}
    body = {key: value for key, value in extra.items() if key not in taken} | known | {"stream_options": options}
    items = list(body.items())
    order.shuffle(items)
    sent = orjson.loads(write(orjson.dumps(dict(items)), dialect, model=model, ask_usage=True))
    asks = dialect is CHAT and stream
    assert sent.pop("stream_options") == (
        {**({} if options is None else options), "include_usage": True} if asks else options
    )
    assert sent == {key: value for key, value in body.items() if key != "stream_options"} | {"model": model}
