"""Providers as rows of data: where they are, how they are asked, what they are called in the price list.

Adding a provider is adding a row. `paths` tells every dialect the provider's server is known to speak, `speaks` the
ones used unless a configuration says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from pointsman.vocabulary import Dialect

CHAT, RESPONSES, MESSAGES = Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES, Dialect.ANTHROPIC_MESSAGES


class Auth(StrEnum):
    """How the key travels."""

    BEARER = "bearer"
    """`Authorization: Bearer KEY`."""
    X_API_KEY = "x-api-key"
    """`x-api-key: KEY` (Anthropic)."""
    API_KEY = "api-key"
    """`api-key: KEY` (Azure)."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One row."""

    name: str
    title: str
    base_url: str | None
    """Used when the configuration gives none; None where there is no such thing."""
    paths: Mapping[Dialect, str]
    """Appended to the base URL."""
    speaks: tuple[Dialect, ...]
    auth: Auth = Auth.BEARER
    auth_by_dialect: Mapping[Dialect, Auth] = field(default_factory=dict)
    """Where one dialect differs from `auth`."""
    needs_key: bool = True
    """A key must be given when the default base URL is used."""
    key_variable: str | None = None
    """The environment variable that the provider's own tools read."""
    base_suffix: str = ""
    """What a base URL without any path gets, because people leave it out; the default base URL ends with it."""
    price_list: str | None = None
    """Its id in genai-prices; None: no list prices."""
    stream_usage_option: bool = True
    """A streamed chat completion accepts `stream_options: {include_usage: true}`."""
    headers: tuple[tuple[str, str], ...] = ()
    base_url_example: str | None = None


_OPENAI_PATHS = {CHAT: "/chat/completions", RESPONSES: "/responses", MESSAGES: "/messages"}

_ROWS = (
    # platform.openai.com/docs/api-reference, read 2026-11.
    Provider(
        "openai",
        "OpenAI",
        "https://api.openai.com/v1",
        {CHAT: "/chat/completions", RESPONSES: "/responses"},
        (CHAT, RESPONSES),
        key_variable="OPENAI_API_KEY",
        base_suffix="/v1",
        price_list="openai",
    ),
    # The chat endpoint takes the key as a bearer token and is meant for testing, says Anthropic:
    # platform.claude.com/docs/en/cli-sdks-libraries/libraries/openai-sdk, read 2026-11.
    Provider(
        "anthropic",
        "Anthropic",
        "https://api.anthropic.com/v1",
        {MESSAGES: "/messages", CHAT: "/chat/completions"},
        (MESSAGES, CHAT),
        auth_by_dialect={MESSAGES: Auth.X_API_KEY},
        key_variable="ANTHROPIC_API_KEY",
        base_suffix="/v1",
        price_list="anthropic",
    ),
    # ai.google.dev/gemini-api/docs/openai, read 2026-11.
    Provider(
        "gemini",
        "Google Gemini",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        {CHAT: "/chat/completions"},
        (CHAT,),
        key_variable="GEMINI_API_KEY",
        base_suffix="/v1beta/openai",
        price_list="google",
    ),
    # docs.ollama.com/api/openai-compatibility and /api/anthropic-compatibility, read 2026-11. The server needs no key.
    Provider(
        "ollama",
        "Ollama",
        "http://127.0.0.1:11434/v1",
        _OPENAI_PATHS,
        (CHAT, RESPONSES, MESSAGES),
        needs_key=False,
        base_suffix="/v1",
    ),
    # docs.vllm.ai/en/stable/serving/openai_compatible_server, read 2026-11.
    Provider(
        "vllm",
        "vLLM",
        "http://127.0.0.1:8000/v1",
        _OPENAI_PATHS,
        (CHAT, RESPONSES),
        needs_key=False,
        base_suffix="/v1",
    ),
    # The v1 API, key in `api-key`: learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle, 2025-10-06.
    # With an api_version the paths are those of `azure_deployment_url`.
    Provider(
        "azure",
        "Azure OpenAI",
        None,
        {CHAT: "/chat/completions", RESPONSES: "/responses"},
        (CHAT, RESPONSES),
        auth=Auth.API_KEY,
        key_variable="AZURE_OPENAI_API_KEY",
        base_suffix="/openai/v1",
        price_list="azure",
        base_url_example="https://YOUR-RESOURCE.openai.azure.com",
    ),
    # docs.aws.amazon.com/bedrock/latest/userguide/inference-chat-completions-mantle.html, read 2026-11. The Responses
    # API is on bedrock-mantle only, so it is not a default.
    Provider(
        "bedrock-openai",
        "Amazon Bedrock (OpenAI API)",
        None,
        {CHAT: "/chat/completions", RESPONSES: "/responses"},
        (CHAT,),
        key_variable="AWS_BEARER_TOKEN_BEDROCK",
        base_suffix="/v1",
        price_list="aws",
        base_url_example="https://bedrock-mantle.us-east-1.api.aws/v1",
    ),
    Provider(
        "openai-compatible",
        "OpenAI-compatible server",
        None,
        _OPENAI_PATHS,
        (CHAT,),
        needs_key=False,
        base_url_example="https://host/v1",
    ),
    Provider(
        "sim",
        "Simulated model",
        "sim:",
        {CHAT: "", RESPONSES: "", MESSAGES: ""},
        (CHAT, RESPONSES, MESSAGES),
        needs_key=False,
    ),
)

PROVIDERS: Mapping[str, Provider] = MappingProxyType({row.name: row for row in _ROWS})
"""Every provider by its name in the configuration."""
