"""A Ray cluster of two nodes on this machine, for the tests that are marked `ray`."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """The address of a cluster of two nodes with one processor each; commands find it by `RAY_ADDRESS`."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
    started = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    try:
        started.add_node(**node)
        os.environ["RAY_ADDRESS"] = started.address
        yield started.address
    finally:
        os.environ.pop("RAY_ADDRESS", None)
        started.shutdown()
