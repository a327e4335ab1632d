"""examples/litellm_hook.py against a real gateway, with a stand-in for the class that it derives from."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from pointsman.decide import FixedPolicy
from pointsman.gateway import GatewayServer, Keys, create_app
from pointsman.router import Router
from pointsman.testing import FakeTransport, closed_port
from pointsman.vocabulary import Tier

if TYPE_CHECKING:
    from tests.conftest import MakeModel

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/litellm_hook.py"
HI = [{"role": "user", "content": "Hi"}]


class CustomLogger:
    """The method of LiteLLM 1.110.2 that is overridden, with its parameters (litellm/integrations/custom_logger.py)."""

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: str
    ) -> Exception | str | dict[str, Any] | None: ...


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The example, imported as LiteLLM imports it."""
    stand_in = ModuleType("litellm.integrations.custom_logger")
    stand_in.CustomLogger = CustomLogger  # type: ignore[attr-defined]
    for name in ("litellm", "litellm.integrations"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, stand_in.__name__, stand_in)
    spec = importlib.util.spec_from_file_location("litellm_hook", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
async def gateway(make_model: MakeModel) -> AsyncIterator[str]:
    """A gateway that wants a key and always decides for "small"; its address."""
    router = Router(
        tiers=(Tier("cheap", ("small",)), Tier("strong", ("large",))),
        models={name: make_model(name) for name in ("small", "large")},
        policies={"auto": FixedPolicy("auto", "cheap")},
        default_policy="auto",
        transport=FakeTransport(),
    )
    async with router, GatewayServer(create_app(router, keys=Keys({"proxy": "proxy-key"}))) as server:
        yield server.url


async def changed(hook: Any, data: dict[str, Any], call_type: str = "acompletion") -> dict[str, Any]:
    try:
        out = await hook.async_pre_call_hook({}, None, data, call_type)
    finally:
        await hook.aclose()
    assert isinstance(out, dict)
    return out


def test_it_overrides_the_hook_with_litellms_own_parameters(example: ModuleType) -> None:
    theirs = inspect.signature(CustomLogger.async_pre_call_hook).parameters
    assert list(inspect.signature(example.PointsmanRouter.async_pre_call_hook).parameters) == list(theirs)
    assert isinstance(example.pointsman, CustomLogger)


@pytest.mark.parametrize(
    ("call_type", "said"),
    [
        ("acompletion", {"messages": HI}),
        ("aresponses", {"input": "Hi"}),
        ("anthropic_messages", {"messages": HI, "system": "Be brief.", "max_tokens": 9}),
    ],
)
async def test_auto_becomes_the_model_that_was_decided_for_and_the_rest_stays(
    example: ModuleType, gateway: str, call_type: str, said: dict[str, Any]
) -> None:
    data = {"model": "auto", "metadata": {"team": "a"}, "litellm_logging_obj": object(), "api_key": "sk-secret"} | said
    before = dict(data)
    out = await changed(example.PointsmanRouter(gateway, "proxy-key"), data, call_type)
    assert out["model"] == "small"
    assert out["metadata"]["team"] == "a"
    assert out["metadata"]["pointsman"]["request_id"].startswith("req_")
    assert data == before
    assert {name: value for name, value in out.items() if name not in ("model", "metadata")} == {
        name: value for name, value in before.items() if name not in ("model", "metadata")
    }


async def test_other_models_and_other_calls_are_left_alone(example: ModuleType) -> None:
    hook = example.PointsmanRouter(f"http://127.0.0.1:{closed_port()}", fallback="large")
    for model, call_type in (("gpt-4o", "acompletion"), ("auto", "aembedding")):
        data = {"model": model, "messages": HI}
        assert await changed(hook, data, call_type) is data


@pytest.mark.parametrize("key", ["proxy-key", "wrong-key"])
async def test_without_a_decision_the_fallback_serves_or_nothing_changes(
    example: ModuleType, gateway: str, key: str
) -> None:
    url = f"http://127.0.0.1:{closed_port()}" if key == "proxy-key" else gateway
    data = {"model": "auto", "messages": HI}
    assert await changed(example.PointsmanRouter(url, key), data) == data
    assert (await changed(example.PointsmanRouter(url, key, fallback="large"), data))["model"] == "large"


async def test_keys_and_objects_that_litellm_adds_are_never_sent(example: ModuleType) -> None:
    assert not {"api_key", "litellm_logging_obj", "metadata", "proxy_server_request", "model"} & set(example.SENT)
