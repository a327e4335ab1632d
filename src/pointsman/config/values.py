"""Kinds of value that `pointsman.yaml` holds: numbers that are no booleans, safe names, addresses, secrets."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit, urlunsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_core import PydanticCustomError


def not_bool(value: object) -> object:
    # Pydantic takes `true` for 1; in a file it is a slip.
    if isinstance(value, bool):
        raise PydanticCustomError("a_number", "a number")
    return value


def _blank(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("not_empty", "text that is not empty")
    return value


def _safe_name(pattern: str, words: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if compiled.fullmatch(value) is None:
            raise PydanticCustomError("safe_name", "a name of {words}", {"words": words})
        return value

    return AfterValidator(check)


def _not_reserved(value: str) -> str:
    if value in ("auto", "claude-auto") or value.startswith("auto:"):
        raise PydanticCustomError("reserved_name", "a name other than auto, claude-auto and auto:…, which mean routing")
    return value


def _redis_url(value: SecretUrl) -> SecretUrl:
    if re.match(REDIS_URL, value.get_secret_value()) is None:
        raise PydanticCustomError("redis_url", "an address such as redis://host:6379/0, rediss://… or unix:///path")
    return value


def _http_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname, parts.port
    except ValueError:
        host, parts = None, None
    if parts is None or parts.scheme not in ("http", "https") or not host:
        raise PydanticCustomError("http_url", "an address such as https://host/v1")
    if parts.username is not None or parts.password is not None:
        raise PydanticCustomError("http_url_user", "an address without a user name or password (use api_key)")
    if parts.query or parts.fragment:
        raise PydanticCustomError("http_url_query", "an address without `?` or `#`")
    return value


class SecretUrl(SecretStr):
    """An address whose password, if it has one, is never shown."""

    def _display(self) -> str:
        return mask_url(self.get_secret_value())


def mask_url(url: str) -> str:
    """The address with its password and query replaced by `***`; all of it where it cannot be read."""
    try:
        parts = urlsplit(url)
        if parts.password is None and not parts.query:
            return url
        user = "" if parts.username is None else parts.username
        host = parts.netloc.rpartition("@")[2]
        secret = "" if parts.password is None else ":***"
        at = "@" if parts.username is not None or parts.password is not None else ""
        return urlunsplit((parts.scheme, f"{user}{secret}{at}{host}", parts.path, "***" if parts.query else "", ""))
    except ValueError:
        return "***"


_MODEL_NAME = r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}"
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"

Count: TypeAlias = Annotated[int, Field(ge=1), BeforeValidator(not_bool)]
Amount: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False), BeforeValidator(not_bool)]
Seconds: TypeAlias = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False), BeforeValidator(not_bool)]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), BeforeValidator(not_bool)]
Text: TypeAlias = Annotated[str, AfterValidator(_blank), Field(min_length=1, max_length=512)]
Secret: TypeAlias = Annotated[SecretStr, Field(min_length=1, max_length=8192)]
ModelName: TypeAlias = Annotated[
    str,
    _safe_name(_MODEL_NAME, "letters, digits and . _ - : / @ +, at most 128"),
    Field(json_schema_extra={"pattern": f"^{_MODEL_NAME}$"}),
    AfterValidator(_not_reserved),
]
Name: TypeAlias = Annotated[
    str,
    _safe_name(_NAME, "letters, digits and . _ -, at most 64"),
    Field(json_schema_extra={"pattern": f"^{_NAME}$"}),
]
Label: TypeAlias = Annotated[str, _safe_name(r"[^\x00-\x1f\x7f]{1,100}", "1 to 100 printable characters")]
HttpUrl: TypeAlias = Annotated[str, AfterValidator(_http_url), Field(max_length=2048)]
REDIS_URL = r"^(redis|rediss)://[^/?#]|^unix:///."
RedisUrl: TypeAlias = Annotated[
    SecretUrl, AfterValidator(_redis_url), Field(max_length=2048, json_schema_extra={"pattern": REDIS_URL})
]
