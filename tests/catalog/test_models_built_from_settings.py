"""Plain settings in, a callable model out: addresses, headers, limits."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.catalog import PROVIDERS, build_model
from pointsman.errors import ConfigError
from pointsman.vocabulary import Capabilities, Dialect, Price, Timeouts

CHAT, RESPONSES, MESSAGES = Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES, Dialect.ANTHROPIC_MESSAGES


def urls(**settings: Any) -> dict[Dialect, str]:
    """The address of each dialect of a model called `m`."""
    return {d: e.url for d, e in build_model(name="m", **settings).endpoints.items()}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            {"provider": "openai", "api_key": "k"},
            {CHAT: "https://api.openai.com/v1/chat/completions", RESPONSES: "https://api.openai.com/v1/responses"},
        ),
        (
            {"provider": "openai", "base_url": "http://127.0.0.1:9/v1/"},
            {CHAT: "http://127.0.0.1:9/v1/chat/completions", RESPONSES: "http://127.0.0.1:9/v1/responses"},
        ),
        (
            {"provider": "openai", "base_url": "http://127.0.0.1:9"},
            {CHAT: "http://127.0.0.1:9/v1/chat/completions", RESPONSES: "http://127.0.0.1:9/v1/responses"},
        ),
        (
            {"provider": "anthropic", "api_key": "k"},
            {MESSAGES: "https://api.anthropic.com/v1/messages", CHAT: "https://api.anthropic.com/v1/chat/completions"},
        ),
        (
            {"provider": "anthropic", "base_url": "http://h:1", "dialects": ["anthropic-messages"]},
            {MESSAGES: "http://h:1/v1/messages"},
        ),
        (
            {"provider": "gemini", "api_key": "k"},
            {CHAT: "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions"},
        ),
        (
            {"provider": "ollama"},
            {
                CHAT: "http://127.0.0.1:11434/v1/chat/completions",
                RESPONSES: "http://127.0.0.1:11434/v1/responses",
                MESSAGES: "http://127.0.0.1:11434/v1/messages",
            },
        ),
        (
            {"provider": "vllm", "base_url": "http://gpu:8000", "dialects": ["openai-chat"]},
            {CHAT: "http://gpu:8000/v1/chat/completions"},
        ),
        (
            {"provider": "azure", "base_url": "https://r.openai.azure.com/", "api_key": "k"},
            {
                CHAT: "https://r.openai.azure.com/openai/v1/chat/completions",
                RESPONSES: "https://r.openai.azure.com/openai/v1/responses",
            },
        ),
        (
            {
                "provider": "azure",
                "provider_model": "my dep",
                "base_url": "https://r.openai.azure.com",
                "api_key": "k",
                "api_version": "2024-10-21",
            },
            {
                CHAT: "https://r.openai.azure.com/openai/deployments/my%20dep/chat/completions?api-version=2024-10-21",
                RESPONSES: "https://r.openai.azure.com/openai/responses?api-version=2024-10-21",
            },
        ),
        (
            {"provider": "bedrock-openai", "base_url": "https://bedrock-mantle.us-east-1.api.aws/v1", "api_key": "k"},
            {CHAT: "https://bedrock-mantle.us-east-1.api.aws/v1/chat/completions"},
        ),
        (
            {"provider": "openai-compatible", "base_url": "http://h/base"},
            {CHAT: "http://h/base/chat/completions"},
        ),
        ({"provider": "sim"}, {CHAT: "sim:", RESPONSES: "sim:", MESSAGES: "sim:"}),
    ],
)
def test_addresses(settings: dict[str, Any], expected: dict[Dialect, str]) -> None:
    assert urls(**{"provider_model": "x", **settings}) == expected


def test_the_key_travels_as_each_provider_wants_it() -> None:
    def headers(provider: str, dialect: Dialect, **more: Any) -> dict[str, str]:
        model = build_model(name="m", provider=provider, provider_model="x", api_key="key-1", **more)
        return dict(model.endpoints[dialect].headers)

    assert headers("openai", CHAT) == {"authorization": "Bearer key-1"}
    assert headers("anthropic", MESSAGES) == {"x-api-key": "key-1"}
    assert headers("anthropic", CHAT) == {"authorization": "Bearer key-1"}
    assert headers("azure", CHAT, base_url="https://r.openai.azure.com") == {"api-key": "key-1"}
    assert headers("openai", CHAT, headers={"OpenAI-Project": "p", "Authorization": "Basic x"}) == {
        "openai-project": "p",
        "authorization": "Basic x",
    }


def test_no_key_shows_in_repr() -> None:
    model = build_model(name="m", provider="openai", provider_model="gpt-4o", api_key="sk-secret")
    assert "sk-secret" not in repr(model)


def test_what_is_given_wins_over_what_is_known() -> None:
    model = build_model(
        name="m",
        provider="openai",
        provider_model="gpt-4o",
        api_key="k",
        price={"input_usd_per_mtok": 0.0, "output_usd_per_mtok": 1.0},
        context_window_tokens=10,
        supports=["tools"],
        timeouts={"idle_s": 9.0, "total_s": None},
        max_concurrency=3,
    )
    assert model.price == Price(0.0, 1.0)
    assert model.price_missing is None
    assert model.capabilities == Capabilities(10, 16_384, False, True, False)
    assert model.timeouts == Timeouts(idle_s=9.0, total_s=None)
    assert model.max_concurrency == 3


def test_a_simulated_model_borrows_price_and_capabilities() -> None:
    model = build_model(
        name="m", provider="sim", priced_as="openai/gpt-4o", simulation={"skill": 0.4, "latency_ms": 1.0}
    )
    assert model.simulated
    assert model.provider_model == "m"
    assert model.price is not None
    assert model.price.input_usd_per_mtok == 2.5
    assert model.capabilities.context_window_tokens == 128_000
    assert model.simulation == {"skill": 0.4, "latency_ms": 1.0}


def test_a_simulated_model_may_have_no_price() -> None:
    model = build_model(name="m", provider="sim")
    assert model.price is None
    assert model.price_missing == "a simulated model without `price` or `simulate.priced_as` has no price"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"provider": "opnai"}, "there is no provider 'opnai'"),
        ({"provider": "openai"}, "OpenAI needs a key; add `api_key: ${OPENAI_API_KEY}`"),
        ({"provider": "azure", "api_key": "k"}, "needs a base_url, such as https://YOUR-RESOURCE.openai.azure.com"),
        ({"provider": "openai", "api_key": "qzx7\n"}, "the api_key holds"),
        ({"provider": "openai", "api_key": "k", "base_url": "ftp://h"}, "must begin with http:// or https://"),
        ({"provider": "openai", "api_key": "k", "base_url": "https://"}, "name a host"),
        ({"provider": "openai", "api_key": "k", "base_url": "https://u:p@h"}, "user name or password"),
        ({"provider": "openai", "api_key": "k", "base_url": "https://h/?a=1"}, "must not hold `?`"),
        ({"provider": "openai", "api_key": "k", "base_url": "https://h:99999"}, "is not an address"),
        ({"provider": "openai", "api_key": "k", "base_url": "https://h/a b"}, "holds a space"),
        ({"provider": "gemini", "api_key": "k", "dialects": ["anthropic-messages"]}, "does not speak"),
        ({"provider": "openai", "api_key": "k", "headers": {"Host": "h"}}, "the header 'Host' cannot be set"),
        ({"provider": "openai", "api_key": "k", "headers": {"a b": "h"}}, "the header 'a b' cannot be set"),
        ({"provider": "openai", "api_key": "k", "headers": {"x": "a\r\nb: c"}}, "is not printable ASCII"),
        ({"provider": "sim", "priced_as": "gpt-4o"}, "priced_as must be provider/model"),
        ({"provider": "sim", "priced_as": "openai/nonesuch"}, "priced_as: genai-prices"),
        ({"provider": "openai", "provider_model": None, "api_key": "k"}, "`model` is missing"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_models_name(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build_model(name="mine", **{"provider_model": "x", **settings})
    assert caught.value.message.startswith("model 'mine': ")
    assert message in caught.value.message
    assert "qzx7" not in caught.value.message


def test_every_row_is_complete() -> None:
    for name, row in PROVIDERS.items():
        assert row.name == name
        assert set(row.speaks) <= set(row.paths)
        assert row.speaks
        assert row.base_url is not None or row.base_url_example is not None
        assert row.base_url is None or row.base_url.endswith(row.base_suffix)
        assert not row.needs_key or row.key_variable is not None
