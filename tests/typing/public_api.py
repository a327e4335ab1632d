"""Type-checked, never run: pins the types of the public API, so that a change of them is seen in review."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import assert_type

from pointsman import Completion, Decision, Router, SyncRouter
from pointsman.vocabulary import Usage


async def asynchronous() -> None:
    router = Router.from_config(Path("pointsman.yaml"))
    assert_type(router, Router)
    assert_type(Router.from_config(), Router)
    assert_type(Router.from_config({"models": []}), Router)
    decision = router.route(prompt="hello", policy="auto", max_quality_loss=0.01, tier="cheap")
    assert_type(decision, Decision)
    assert_type(decision.model, str)
    assert_type(decision.p_cheap, float | None)
    answer = await router.complete(messages=[{"role": "user", "content": "hello"}], tags=["faq"], temperature=0)
    assert_type(answer, Completion)
    assert_type(answer.text, str)
    assert_type(answer.cost_usd, float | None)
    assert_type(answer.usage, Usage | None)
    assert_type(router.stream(prompt="hello"), AsyncGenerator[bytes, None])
    await router.aclose()


def synchronous() -> None:
    with SyncRouter.from_config("pointsman.yaml") as router:
        assert_type(router, SyncRouter)
        assert_type(router.complete(prompt="hello"), Completion)
        assert_type(router.stream(prompt="hello"), Iterator[bytes])
        assert_type(router.route(prompt="hello"), Decision)
