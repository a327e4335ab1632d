"""Headers that pass the gateway, and those that never do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.call.passed_headers import down, is_clean, may_go_up, up
from pointsman.vocabulary import Dialect


def test_each_dialect_lets_its_own_headers_up_in_order() -> None:
    headers = [
        ("Anthropic-Version", "2023-06-01"),
        ("anthropic-beta", "a,b"),
        ("anthropic-beta", "c"),
        ("OpenAI-Beta", "responses=v1"),
        ("X-Client-Request-Id", "r1"),
        ("OpenAI-Organization", "org"),
        ("Authorization", "Bearer client"),
        ("x-api-key", "client"),
        ("cookie", "a=b"),
        ("x-pointsman-policy", "auto"),
        ("x-stainless-os", "Linux"),
    ]
    anthropic = (("anthropic-version", "2023-06-01"), ("anthropic-beta", "a,b"), ("anthropic-beta", "c"))
    openai = (("openai-beta", "responses=v1"), ("x-client-request-id", "r1"))
    assert up(headers, Dialect.ANTHROPIC_MESSAGES) == anthropic
    assert up(headers, Dialect.OPENAI_CHAT) == up(headers, Dialect.OPENAI_RESPONSES) == openai


def test_an_upstream_that_knows_few_betas_gets_no_others() -> None:
    headers = [("anthropic-version", "2023-06-01"), ("anthropic-beta", "a, b,c"), ("anthropic-beta", "d")]
    version = ("anthropic-version", "2023-06-01")
    messages = Dialect.ANTHROPIC_MESSAGES
    assert up(headers, messages, betas=("c", "a", "x")) == (version, ("anthropic-beta", "a,c"))
    assert up(headers, messages, betas=("d",)) == (version, ("anthropic-beta", "d"))
    assert up(headers, messages, betas=()) == (version,)


def test_limits_waiting_times_and_request_ids_come_down() -> None:
    headers = {
        "Retry-After": "3",
        "retry-after-ms": "3000",
        "x-ratelimit-remaining-tokens": "10",
        "anthropic-ratelimit-requests-limit": "50",
        "x-request-id": "r",
        "request-id": "r2",
        "set-cookie": "a=b",
        "openai-organization": "our-org",
        "content-encoding": "gzip",
        "connection": "close",
        "server": "x",
        "x-ratelimit-evil": "a\r\nset-cookie: b",
    }
    assert down(headers) == {
        "retry-after": "3",
        "retry-after-ms": "3000",
        "x-ratelimit-remaining-tokens": "10",
        "anthropic-ratelimit-requests-limit": "50",
        "x-request-id": "r",
        "request-id": "r2",
    }


@pytest.mark.parametrize("name", ["Authorization", "HOST", "Cookie", "connection", "X-Pointsman-Tier", "x-api-key"])
def test_some_names_never_go_up(name: str) -> None:
    assert not may_go_up(name)


@pytest.mark.parametrize(
    ("name", "value", "clean"),
    [
        ("x-a", "plain", True),
        ("x-a", "a\tb", True),
        ("x-a", "", True),
        ("x-a", "a\nb", False),
        ("x-a", "a\rb", False),
        ("x-a", "a\0b", False),
        ("x-a", "a\u2028b", False),
        ("x-a", "é", False),
        ("x-a", "a" * 8_193, False),
        ("x a", "b", False),
        ("", "b", False),
        ("x:a", "b", False),
    ],
)
def test_clean_by_hand(name: str, value: str, clean: bool) -> None:
    assert is_clean(name, value) is clean


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_clean_header_is_one_line_of_ascii(name: str, value: str) -> None:
    if is_clean(name, value):
        line = f"{name}: {value}"
        assert line.isascii()
        assert len(line.splitlines()) == 1
