"""Addresses beside a dialect's own: the same server, the same key, another path."""

from __future__ import annotations

from pointsman.errors import UpstreamUnreachable

_OWN = ("/chat/completions", "/responses", "/messages")


def beside(url: str, path: str, *, model: str) -> str:
    """The endpoint's URL with `path` in place of the dialect's own path at its end; its query stays, as Azure's
    `api-version` must. A query in `path` is added to it.

    Raises:
        UpstreamUnreachable: the URL ends with none of the known paths, so that nothing can be said of others.
    """
    whole, _, query = url.partition("?")
    own = next((known for known in _OWN if whole.endswith(known)), None)
    if own is None:
        raise UpstreamUnreachable(
            f"nothing is known of other addresses beside that of model {model!r}", model=model, retryable=False
        )
    path, _, more = path.partition("?")
    queries = "&".join(part for part in (query, more) if part)
    return whole.removesuffix(own) + path + ("?" + queries if queries else "")
