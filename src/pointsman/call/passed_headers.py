"""Which headers pass through: from the client up to a provider, and from a provider down to the client.

Both ways are allow-lists. A provider's key, a client's key, cookies and what belongs to one connection never pass.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from pointsman.vocabulary import Dialect

MAX_VALUE_BYTES = 8_192
BETA = "anthropic-beta"

_UP: dict[Dialect, frozenset[str]] = {
    # The client's own id of a call, which OpenAI keeps with its logs (platform.openai.com/docs/api-reference,
    # "Debugging requests"); openai-beta chooses experimental behaviour. Not openai-organization and openai-project:
    # they choose who is billed under our key, which is not the client's to say.
    Dialect.OPENAI_CHAT: frozenset({"openai-beta", "x-client-request-id"}),
    Dialect.OPENAI_RESPONSES: frozenset({"openai-beta", "x-client-request-id"}),
    # docs.anthropic.com, "Versions" and "Beta headers": what the body may hold depends on both.
    Dialect.ANTHROPIC_MESSAGES: frozenset({"anthropic-version", BETA}),
}

_DOWN = frozenset({"retry-after", "retry-after-ms", "x-request-id", "request-id", "openai-processing-ms"})
_DOWN_PREFIXES = ("x-ratelimit-", "anthropic-ratelimit-")

_NEVER_UP = frozenset(
    {
        # RFC 9110 section 7.6.1, and what a proxy makes anew for its own connection.
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        # Who the client is, and what it may use, is between it and us.
        "accept-encoding",
        "authorization",
        "api-key",
        "cookie",
        "cookie2",
        "forwarded",
        "openai-organization",
        "openai-project",
        "user-agent",
        "via",
        "x-api-key",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-goog-api-key",
        "x-real-ip",
    }
)
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def is_clean(name: str, value: str) -> bool:
    """True when a header is one by RFC 9110 section 5: a token, and a value of visible ASCII, blanks and tabs.

    CR, LF and NUL would split or end the header; bytes above ASCII mean different things to different servers.
    """
    return (
        bool(name)
        and _TOKEN.issuperset(name)
        and len(value) <= MAX_VALUE_BYTES
        and value.isascii()
        and (value.isprintable() or all(" " <= letter <= "~" or letter == "\t" for letter in value))
    )


def may_go_up(name: str) -> bool:
    """False for a header that never goes to a provider, whatever an allow-list says."""
    lower = name.lower()
    return lower not in _NEVER_UP and not lower.startswith("x-pointsman-")


def up(
    headers: Iterable[tuple[str, str]], dialect: Dialect, *, betas: Collection[str] | None = None
) -> tuple[tuple[str, str], ...]:
    """The client's headers that go to a provider of this dialect, names in lower case, order and repeats kept.

    Args:
        betas: the values of `anthropic-beta` that may go; None lets all of them.
    """
    allowed = _UP[dialect]
    passed = [
        (lower, value) for name, value in headers if (lower := name.lower()) in allowed and is_clean(lower, value)
    ]
    if betas is not None:
        passed = [
            (name, known if name == BETA else value)
            for name, value in passed
            if (known := _known_betas(value, betas)) or name != BETA
        ]
    return tuple(passed)


def _known_betas(value: str, betas: Collection[str]) -> str:
    return ",".join(beta for part in value.split(",") if (beta := part.strip()) in betas)


def down(headers: Mapping[str, str]) -> dict[str, str]:
    """The provider's headers that go to the client, names in lower case: limits, waiting times, request ids."""
    return {
        lower: value
        for name, value in headers.items()
        if ((lower := name.lower()) in _DOWN or lower.startswith(_DOWN_PREFIXES)) and is_clean(lower, value)
    }
