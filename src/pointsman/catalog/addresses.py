"""URLs and headers of one model's endpoints."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlsplit

from pointsman.errors import ConfigError
from pointsman.vocabulary import Dialect, Endpoint

from .providers import Auth, Provider

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.6.2, token
_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")  # RFC 9110 §5.5, without obs-text
_OURS = frozenset(
    {
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "content-type",
        "accept-encoding",
        "expect",
        "upgrade",
    }
)
"""Set by the HTTP client; another value breaks the framing of the request."""


def endpoints(
    who: str,
    provider: Provider,
    *,
    provider_model: str,
    api_key: str | None,
    base_url: str | None,
    api_version: str | None,
    dialects: Sequence[Dialect] | None,
    headers: Mapping[str, str],
) -> dict[Dialect, Endpoint]:
    """The endpoint of each dialect that the model's upstream speaks.

    Raises:
        ConfigError: an address, a key, a header or a dialect that cannot be used; `who` begins the message.
    """
    if provider.name == "sim":
        return {dialect: Endpoint("sim:") for dialect in (provider.speaks if dialects is None else dialects)}
    root = _root(who, provider, base_url)
    if api_key is None and provider.needs_key and base_url is None:
        raise ConfigError(f"{who}: {provider.title} needs a key; add `api_key: ${{{provider.key_variable}}}`")
    if api_key is not None and _HEADER_VALUE.fullmatch(api_key) is None:
        raise ConfigError(
            f"{who}: the api_key holds a space at an end, a line break or a character outside ASCII; "
            "set its variable to the key alone"
        )
    extra = _extra_headers(who, headers)
    out: dict[Dialect, Endpoint] = {}
    for dialect in provider.speaks if dialects is None else dialects:
        path = provider.paths.get(dialect)
        if path is None:
            known = ", ".join(provider.paths)
            raise ConfigError(f"{who}: {provider.title} does not speak {dialect}; use some of {known}")
        url = root + path
        if api_version is not None:
            url = azure_deployment_url(root, provider_model, dialect, api_version)
        sent = [*provider.headers]
        if api_key is not None:
            sent.append(_auth_header(provider.auth_by_dialect.get(dialect, provider.auth), api_key))
        taken = {name.lower() for name, _ in extra}
        out[dialect] = Endpoint(url, (*(pair for pair in sent if pair[0].lower() not in taken), *extra))
    return out


def azure_deployment_url(root: str, deployment: str, dialect: Dialect, api_version: str) -> str:
    """The dated API's URL: learn.microsoft.com/azure/ai-foundry/openai/reference, read 2026-11.

    Chat completions name the deployment in the path; responses name it as `model` in the body.
    """
    resource = root.removesuffix("/openai/v1").removesuffix("/openai")
    version = quote(api_version, safe="")
    if dialect is Dialect.OPENAI_RESPONSES:
        return f"{resource}/openai/responses?api-version={version}"
    return f"{resource}/openai/deployments/{quote(deployment, safe='')}/chat/completions?api-version={version}"


def _root(who: str, provider: Provider, base_url: str | None) -> str:
    """The base URL without a slash at its end."""
    if base_url is None:
        if provider.base_url is None:
            raise ConfigError(f"{who}: {provider.title} needs a base_url, such as {provider.base_url_example}")
        return provider.base_url
    wrong = None
    try:
        parts = urlsplit(base_url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise ConfigError(f"{who}: base_url is not an address; write one such as https://host/v1") from None
    if parts.scheme not in ("http", "https") or not host:
        wrong = "must begin with http:// or https:// and name a host"
    elif parts.username is not None or parts.password is not None:
        wrong = "must not hold a user name or password; use api_key"
    elif parts.query or parts.fragment:
        wrong = "must not hold `?` or `#`; for Azure use api_version"
    elif any(ord(char) <= 0x20 or ord(char) == 0x7F for char in base_url):
        wrong = "holds a space or a control character"
    if wrong is not None:
        raise ConfigError(f"{who}: base_url {wrong}")
    root = base_url.rstrip("/")
    return root + provider.base_suffix if parts.path in ("", "/") else root


def _auth_header(auth: Auth, key: str) -> tuple[str, str]:
    return ("authorization", f"Bearer {key}") if auth is Auth.BEARER else (str(auth), key)


def _extra_headers(who: str, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    for name, value in headers.items():
        if _HEADER_NAME.fullmatch(name) is None or name.lower() in _OURS:
            raise ConfigError(f"{who}: the header {name[:64]!r} cannot be set; remove it")
        if _HEADER_VALUE.fullmatch(value) is None:
            raise ConfigError(f"{who}: the value of header {name!r} is not printable ASCII; correct it")
    return tuple((name.lower(), value) for name, value in headers.items())
