"""How often one address may fail to show a key."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

from .bucket import TokenBucket

MAX_ADDRESSES = 10_000
"""About 4 MB. Beyond, the address that failed longest ago is forgotten."""


class FailureLimit:
    """Counts failures by address, in bounded memory.

    Args:
        per_min: failures a minute that an address is granted; 0 grants any number.
    """

    def __init__(self, per_min: int, *, max_addresses: int = MAX_ADDRESSES) -> None:
        self._per_min = per_min
        self._max = max_addresses
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def wait_s(self, address: str | None, now_s: float) -> float:
        """How long this address has to wait before its next try; 0 when it may try now."""
        bucket = self._buckets.get(_network(address))
        return 0.0 if bucket is None else bucket.wait_s(1.0, now_s)

    def failed(self, address: str | None, now_s: float) -> None:
        """Counts one failure."""
        if self._per_min == 0:
            return
        network = _network(address)
        bucket = self._buckets.get(network)
        if bucket is None:
            while len(self._buckets) >= self._max:
                self._buckets.popitem(last=False)
            bucket = self._buckets[network] = TokenBucket(self._per_min, now_s)
        self._buckets.move_to_end(network)
        bucket.take(1.0, now_s)


def _network(address: str | None) -> str:
    """The address; of IPv6 its first 64 bits, all of which one customer has (RFC 6177)."""
    if address is None or ":" not in address:
        return "" if address is None else address
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))
