"""A LiteLLM proxy that asks Pointsman which of its own models should serve; LiteLLM goes on calling them.

In LiteLLM's config.yaml, with this file beside it:

    model_list: ...                     # one of them called "auto", any model behind it: this hook replaces the name
    litellm_settings:
      callbacks: litellm_hook.pointsman

The names of the models in pointsman.yaml are those of `model_list`. Environment: POINTSMAN_URL (the gateway, whose
`POST /v1/route` decides and calls no model), POINTSMAN_KEY, POINTSMAN_FALLBACK_MODEL (serves when Pointsman does not
answer in time; without it the request stays as it is).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import aiohttp
from litellm.integrations.custom_logger import CustomLogger

WITHIN_S = 0.5
"""A decision takes milliseconds; a gateway that is away must not hold requests up."""
DIALECTS = {
    "completion": "openai-chat",
    "acompletion": "openai-chat",
    "responses": "openai-responses",
    "aresponses": "openai-responses",
    "anthropic_messages": "anthropic-messages",
}
"""By LiteLLM's name for the call; other calls are left alone."""
SENT = (
    *(
        "messages",
        "system",
        "input",
        "instructions",
        "tools",
        "tool_choice",
        "response_format",
        "text",
        "output_config",
    ),
    *("max_tokens", "max_completion_tokens", "max_output_tokens", "stop", "stream", "user"),
)
"""What a decision looks at. LiteLLM puts much more into `data` (keys, loggers), and nothing of that is sent."""


class PointsmanRouter(CustomLogger):
    """Replaces the model of requests for `auto`.

    Args:
        url: the gateway's address.
        key: the gateway's key, None where it asks for none.
        asked_as: the model name that means "decide".
        fallback: the model that serves when there is no decision.
    """

    def __init__(
        self, url: str, key: str | None = None, *, asked_as: str = "auto", fallback: str | None = None
    ) -> None:
        super().__init__()
        self._url = f"{url.rstrip('/')}/v1/route"
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._asked_as = asked_as
        self._fallback = fallback
        self._session: aiohttp.ClientSession | None = None

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: str
    ) -> dict[str, Any]:
        """The request with the model that Pointsman chose, or as it was."""
        if data.get("model") != self._asked_as or call_type not in DIALECTS:
            return data
        decision = await self._decide(data, DIALECTS[call_type])
        if decision is not None:
            said = {name: decision.get(name) for name in ("request_id", "tier", "reason")}
            return data | {"model": decision["model"], "metadata": (data.get("metadata") or {}) | {"pointsman": said}}
        return data if self._fallback is None else data | {"model": self._fallback}

    async def _decide(self, data: Mapping[str, Any], dialect: str) -> dict[str, Any] | None:
        """The decision; None when there is none within the time."""
        body = {"model": self._asked_as} | {name: data[name] for name in SENT if data.get(name) is not None}
        if self._session is None:
            self._session = aiohttp.ClientSession(headers=self._headers, timeout=aiohttp.ClientTimeout(total=WITHIN_S))
        try:
            async with self._session.post(self._url, params={"dialect": dialect}, json=body) as answer:
                decision = await answer.json() if answer.status == 200 else None
        except (TimeoutError, aiohttp.ClientError, TypeError):  # TypeError: something that is no JSON
            return None
        return decision if isinstance(decision, dict) and isinstance(decision.get("model"), str) else None

    async def aclose(self) -> None:
        """Closes the connection to the gateway; a proxy that ends needs not."""
        if self._session is not None:
            await self._session.close()


pointsman = PointsmanRouter(
    os.environ.get("POINTSMAN_URL", "http://127.0.0.1:8484"),
    os.environ.get("POINTSMAN_KEY"),
    fallback=os.environ.get("POINTSMAN_FALLBACK_MODEL"),
)
