"""pytest fixtures. In your `conftest.py`: `pytest_plugins = ["pointsman.testing.fixtures"]` (needs pytest-asyncio)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from .fake_clock import FakeClock
from .fake_transport import FakeTransport
from .upstream import Upstream


@pytest_asyncio.fixture
async def pointsman_upstream() -> AsyncIterator[Upstream]:
    """A running upstream; give it a script with `play`."""
    async with Upstream() as upstream:
        yield upstream


@pytest.fixture
def pointsman_clock() -> FakeClock:
    """A clock that stands still on 1 January 2026."""
    return FakeClock()


@pytest.fixture
def pointsman_transport(pointsman_clock: FakeClock) -> FakeTransport:
    """A transport without a network, on the same clock."""
    return FakeTransport(clock=pointsman_clock)
