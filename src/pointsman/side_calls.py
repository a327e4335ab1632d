"""Calls beside the three dialects that are neither decided nor recorded, because they cost nothing: token counts, and
responses that an upstream holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .call.held import Held, HeldResponses
from .call.passed_headers import down, up
from .errors import NotFound, UpstreamError, UpstreamRefused
from .vocabulary import Dialect, Model, Request, Transport, UpstreamCall
from .wire import CODECS, UnreadableAnswer

MAX_PROBED = 8
"""How many upstreams are asked for a response that is not on record."""
_COUNTERS = {
    Dialect.ANTHROPIC_MESSAGES: "/messages/count_tokens",
    Dialect.OPENAI_RESPONSES: "/responses/input_tokens",
}


@dataclass(frozen=True, slots=True)
class SideAnswer:
    """Status, headers to pass down, and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class SideCalls:
    """Asks upstreams aside.

    Args:
        models: by name.
        transport: sends the calls.
        held: who holds which response.
    """

    def __init__(self, models: Mapping[str, Model], transport: Transport, held: HeldResponses) -> None:
        self._models = models
        self._transport = transport
        self._held = held

    async def count_tokens(self, request: Request, model: Model, headers: Mapping[str, str]) -> SideAnswer | None:
        """The upstream's own count for a request, or its complaint about it; None when it does not count."""
        path = _COUNTERS.get(request.dialect)
        if path is None or model.simulated or request.dialect not in model.endpoints:
            return None
        body = CODECS[request.dialect].write_request(request, provider_model=model.provider_model, ask_usage=False)
        passed = up(headers.items(), request.dialect, betas=model.anthropic_betas)
        try:
            answer = await self._send(UpstreamCall(model, request.dialect, body, False, passed, path=path))
        except UpstreamError:
            return None
        return answer if answer.status in (200, 400, 413) else None

    async def held_response(
        self, method: str, response_id: str, rest: str, *, key_id: str | None, asks_keys: bool
    ) -> SideAnswer:
        """What the upstream that holds a response says of it.

        Args:
            method: GET, DELETE or POST (to cancel).
            response_id: the response's id, safe to stand in a path.
            rest: what follows the id in the path and query, such as "/input_items?limit=5".
            key_id: whose key the caller used.
            asks_keys: callers have keys; then only what is on record as their own is looked for.

        Raises:
            NotFound: nobody holds it, or it is another caller's.
            UpstreamError: the upstream failed.
        """
        held = self._held.get(response_id)
        if held is not None and (not asks_keys or held.key_id == key_id):
            candidates = [self._models[held.model]] if held.model in self._models else []
        elif asks_keys or held is not None:
            candidates = []
        else:
            candidates = self._holders()
        for model in candidates:
            path = f"/responses/{response_id}{rest}"
            call = UpstreamCall(model, Dialect.OPENAI_RESPONSES, b"", False, path=path, method=method)
            answer = await self._send(call)
            if answer.status == 404:
                continue
            if answer.status in (401, 402, 403) or answer.status >= 500:
                raise UpstreamRefused(
                    f"model {model.name!r} answered with an error (status {answer.status})",
                    model=model.name,
                    upstream_status=answer.status,
                )
            if method == "DELETE" and answer.status < 300:
                self._held.forget(response_id)
            elif held is None and answer.status < 300:
                self._held.put(response_id, Held(model.name, key_id))
            return SideAnswer(answer.status, answer.headers, _named(answer.body, model.name))
        raise NotFound("no response of this id is held here")

    def _holders(self) -> list[Model]:
        """One model for each account that speaks Responses."""
        seen: dict[object, Model] = {}
        for model in self._models.values():
            endpoint = model.endpoints.get(Dialect.OPENAI_RESPONSES)
            if endpoint is not None and not model.simulated:
                seen.setdefault((endpoint.url, endpoint.headers), model)
        return list(seen.values())[:MAX_PROBED]

    async def _send(self, call: UpstreamCall) -> SideAnswer:
        answer = await self._transport.send(call)
        try:
            return SideAnswer(answer.status, down(answer.headers), await answer.read())
        finally:
            await answer.aclose()


def _named(body: bytes, name: str) -> bytes:
    """The body with the configured name of the model, where it names one."""
    try:
        return CODECS[Dialect.OPENAI_RESPONSES].rename_model(body, name)
    except UnreadableAnswer:
        return body
