"""What may stand where a key is expected, wrong keys by address, and pages of other sites."""

from __future__ import annotations

import asyncio
import hmac
import json
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs
from tests.gateway.keyring import Keyring

from pointsman.errors import AuthenticationError, LedgerError
from pointsman.gateway import GatewayLimits, Keys
from pointsman.gateway.auth import Caller
from pointsman.gateway.virtual_keys import REFRESH_S
from pointsman.vocabulary import VirtualKey

if TYPE_CHECKING:
    from tests.gateway.conftest import OpenStand, Stand

CHAT: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}]}


def chat_bytes(*headers: bytes) -> bytes:
    body = json.dumps(CHAT).encode()
    lines = (
        b"POST /v1/chat/completions HTTP/1.1",
        b"Host: 127.0.0.1",
        b"Content-Type: application/json",
        b"Connection: close",
        b"Content-Length: %d" % len(body),
        *headers,
    )
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


async def raw_status(stand: Stand, sent: bytes) -> int:
    """The status of the answer to exactly these bytes."""
    host, port = stand.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(sent)
        async with asyncio.timeout(5):
            line = await reader.readline()
        return int(line.split()[1])
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


# ---------------------------------------------------------------- RELIABILITY.md E 24


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((), 401),
        ((b"Authorization: ",), 401),
        ((b"Authorization: Bearer ",), 401),
        ((b"Authorization: Bearer",), 401),
        ((b"Authorization: Basic a2V5LW9mLWFsaWNl",), 401),
        ((b"x-api-key: ",), 401),
        ((b"x-api-key: ' OR '1'='1' --",), 401),
        ((b"x-api-key: key-of-alice'; DROP TABLE keys; --",), 401),
        (("x-api-key: schlüssel".encode(),), 401),
        ((b"x-api-key: \xff\xfe\xfd",), 401),
        ((b"x-api-key: key-of-alice\x00",), 400),
        ((b"x-api-key: key-of-\nalice",), 400),
        ((b"x-api-key: key-of-alice\r\n x",), 400),
        ((b"x-api-key: " + b"k" * 1_000_000,), 400),
        ((b"Authorization: Bearer key-of-alice", b"Authorization: Bearer key-of-bob"), 401),
        ((b"Authorization: Bearer key-of-alice", b"Authorization: Bearer key-of-alice"), 401),
        ((b"Authorization: Bearer key-of-alice", b"x-api-key: key-of-bob"), 401),
        ((b"Authorization: Bearer key-of-alice", b"x-api-key: key-of-alice"), 200),
        ((b"Authorization: Bearer of-another-service", b"x-api-key: key-of-alice"), 200),
        ((b"AUTHORIZATION: bEaReR   key-of-alice  ",), 200),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, tuple) else str(value),
)
async def test_what_stands_where_a_key_is_expected(
    open_stand: OpenStand, headers: tuple[bytes, ...], status: int
) -> None:
    async with open_stand(keys=Keys({"alice": "key-of-alice", "bob": "key-of-bob"})) as stand:
        assert await raw_status(stand, chat_bytes(*headers)) == status
        assert len(stand.upstream.requests) == (1 if status == 200 else 0)
        assert [record.prompt_json for record in stand.ledger.records] == ([None] if status == 200 else [])


async def test_no_key_is_echoed_or_logged(open_stand: OpenStand) -> None:
    ring = Keyring()
    good, old = ring.add("alice"), ring.add("old")
    ring.revoke("old")
    with capture_logs() as logs:
        async with open_stand(keys=Keys(admin="key-of-admin", virtual=ring.virtual())) as stand:
            texts = []
            for key in (good, old, good + "x", "key-of-nobody"):
                sent = {"x-api-key": key, "x-pointsman-debug": "1"}
                _, headers, got = await stand.send("POST", "/v1/chat/completions", json=CHAT, headers=sent)
                texts += [got.decode(), str(dict(headers))]
            _, _, metrics = await stand.send("GET", "/metrics", headers={"x-api-key": "key-of-admin"})
            texts += [metrics.decode(), repr(stand.ledger.records), repr(logs), repr(ring.keys)]
    everything = "\n".join(texts)
    assert '"alice"' in everything or "'alice'" in everything
    for secret in (good, old, "key-of-nobody", "key-of-admin"):
        assert secret not in everything
    for held in ring.keys.values():
        assert held.digest.hex() not in everything and repr(held.digest) not in everything


def test_keys_are_compared_by_digests_of_one_length_in_constant_time() -> None:
    ring = Keyring()
    good = ring.add("alice")
    compared: list[tuple[bytes, bytes]] = []

    def same(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return hmac.compare_digest(one, other)

    keys = Keys({"carol": "key-of-carol"}, admin="key-of-admin", virtual=ring.virtual(), same=same)
    numbers = []
    for key in (good, good[:-1] + "x", "sk-pm-000000000000-" + "0" * 64, "sk-pm-"):
        compared.clear()
        if key == good:
            assert keys.caller({"x-api-key": key}) == Caller("alice", False)
        else:
            with pytest.raises(AuthenticationError):
                keys.caller({"x-api-key": key})
        numbers.append(len(compared))
        assert {len(digest) for pair in compared for digest in pair} == {32}
        assert all(key.encode() not in pair for pair in compared)
    # One comparison for the virtual key, known or not, one for each configured client, one for the admin.
    assert numbers == [3, 3, 3, 3]


def test_a_virtual_key_with_the_name_of_a_configured_client_or_of_the_admin_is_not_let_in() -> None:
    ring = Keyring()
    stolen, ruler = ring.add("carol"), ring.add("admin")
    keys = Keys({"carol": "key-of-carol"}, admin="key-of-admin", virtual=ring.virtual())
    for key in (stolen, ruler):
        with pytest.raises(AuthenticationError):
            keys.caller({"x-api-key": key})


# ---------------------------------------------------------------- changes while serving


async def test_a_running_gateway_learns_of_new_and_revoked_keys_at_its_next_look(open_stand: OpenStand) -> None:
    ring = Keyring()
    virtual = ring.virtual()
    async with open_stand(keys=Keys(virtual=virtual)) as stand:
        assert (await stand.send("GET", "/v1/models"))[0] == 200, "no key was ever made: none is asked for"
        key = ring.add("alice")
        await virtual.refresh()
        assert (await stand.send("GET", "/v1/models"))[0] == 401
        assert (await stand.send("GET", "/v1/models", headers={"x-api-key": key}))[0] == 200
        ring.revoke("alice")
        await virtual.refresh()
        assert (await stand.send("GET", "/v1/models", headers={"x-api-key": key}))[0] == 401
        assert (await stand.send("GET", "/v1/models"))[0] == 401, "the last key is revoked: still one is asked for"


async def test_looks_come_every_two_seconds() -> None:
    ring = Keyring()
    virtual = ring.virtual()
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 1:
            ring.add("alice")
        elif len(waits) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await virtual.watch(sleep=sleep)
    assert waits == [REFRESH_S] * 3 and REFRESH_S <= 2.0
    assert virtual.any_made


async def test_while_keys_cannot_be_read_those_known_go_on_being_valid_and_it_is_logged_once() -> None:
    class Broken(Keyring):
        def revision(self) -> int:
            if self.n_changes > 1:
                raise LedgerError("cannot read the ledger: it is locked")
            return self.n_changes

        def all(self) -> tuple[VirtualKey, ...]:
            return super().all()

    ring = Broken()
    key = ring.add("alice")
    virtual = ring.virtual()
    ring.n_changes = 2
    with capture_logs() as logs:
        await virtual.refresh()
        await virtual.refresh()
        ring.n_changes = 1
        await virtual.refresh()
    assert Keys(virtual=virtual).caller({"x-api-key": key}) == Caller("alice", False)
    assert [entry["event"] for entry in logs] == ["keys cannot be read; those known go on being valid", "keys read"]


def test_a_key_expires_by_itself() -> None:
    ring = Keyring()
    key = ring.add("alice", expires_at=ring.clock.now() + timedelta(hours=1))
    keys = Keys(virtual=ring.virtual())
    assert keys.caller({"x-api-key": key}).key_id == "alice"
    ring.clock.advance(3_600)
    with pytest.raises(AuthenticationError):
        keys.caller({"x-api-key": key})


def test_a_key_can_be_required_before_there_is_one() -> None:
    with pytest.raises(AuthenticationError):
        Keys(required=True).caller({})


# ---------------------------------------------------------------- wrong keys by address


async def test_an_address_that_sends_wrong_keys_is_slowed_down_and_virtual_keys_are_not(open_stand: OpenStand) -> None:
    ring = Keyring()
    good = ring.add("alice")
    keys = Keys({"carol": "key-of-carol"}, virtual=ring.virtual())
    async with open_stand(keys=keys, limits=GatewayLimits(failed_auth_per_min=5)) as stand:
        answers = [await stand.send("GET", "/v1/models", headers={"x-api-key": f"guess-{n}"}) for n in range(8)]
        assert [status for status, _, _ in answers] == [401] * 5 + [429] * 3
        assert all(headers["x-should-retry"] == "false" for status, headers, _ in answers if status == 401)
        assert 1 <= int(answers[-1][1]["Retry-After"]) <= 12
        # A key that somebody chose may be guessed, so that it has to wait too; 256 random bits cannot be.
        assert (await stand.send("GET", "/v1/models", headers={"x-api-key": "key-of-carol"}))[0] == 429
        assert (await stand.send("GET", "/v1/models", headers={"x-api-key": good}))[0] == 200
        assert (await stand.send("GET", "/healthz"))[0] == 200


# ---------------------------------------------------------------- pages of other sites


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:8484"}, 200),
        ({"Host": "[::1]:8484"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "127.0.0.1", "Origin": "https://evil.example"}, 403),
        ({"Host": "127.0.0.1", "Origin": "null"}, 403),
        ({"Host": "127.0.0.1:8484", "Origin": "http://127.0.0.1:8484"}, 200),
    ],
)
async def test_a_page_of_another_site_cannot_use_a_gateway_without_keys(
    stand: Stand, headers: dict[str, str], status: int
) -> None:
    for method, path, body in (("GET", "/metrics", None), ("POST", "/v1/chat/completions", CHAT)):
        given = {"Origin": f"http://{headers['Host']}"} | headers if body is not None and headers else headers
        got, sent, _ = await stand.send(method, path, json=body, headers=given)
        assert got == status
        assert not any(name.lower().startswith("access-control-") for name in sent)


async def test_with_a_key_any_name_leads_to_the_gateway(open_stand: OpenStand) -> None:
    async with open_stand(keys=Keys({"alice": "key-of-alice"})) as stand:
        sent = {"x-api-key": "key-of-alice", "Host": "gateway.example"}
        assert (await stand.send("POST", "/v1/chat/completions", json=CHAT, headers=sent))[0] == 200


async def test_a_preflight_gets_no_permission(stand: Stand) -> None:
    sent = {"Host": "127.0.0.1", "Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    status, headers, _ = await stand.send("OPTIONS", "/v1/chat/completions", headers=sent)
    assert status in (403, 405)
    assert not any(name.lower().startswith("access-control-") for name in headers)
