"""D1, rows 9 to 16 and 32: an upstream that cannot be reached, or does not answer."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pointsman.call.breaker import BreakerPolicy
from pointsman.call.health import Health
from pointsman.call.http import HttpTransport
from pointsman.call.retry import RetryPolicy
from pointsman.testing import (
    CutBeforeAnswer,
    FakeClock,
    Garbage,
    HoldAnswer,
    NeverAnswer,
    Reply,
    SlowFirstByte,
    SlowHead,
    Upstream,
    black_hole,
    closed_port,
    redirect,
)
from pointsman.vocabulary import Tier, Timeouts

from .conftest import CHAT, PATIENT, ask, forgiving, paths, row, streamed

if TYPE_CHECKING:
    from tests.gateway.conftest import OpenStand

TIERS = (Tier("cheap", ("small", "spare")), Tier("strong", ("large",)))
TLS = Path(__file__).parent / "tls"


@row("D1.9")
@paths
@streamed
async def test_a_refused_connection_falls_back_at_once_and_counts_against_the_model(
    open_stand: OpenStand, path: str, stream: bool
) -> None:
    clock = FakeClock()
    with closed_port() as url:
        async with open_stand(Reply(text="spare"), tiers=TIERS, urls={"small": url}, clock=clock) as stand:
            began_s = clock()
            for _ in range(5):
                assert (await ask(stand, path, stream=stream, model="auto")).text == "spare"
            assert clock() == began_s, "nobody waited"
            assert await stand.metric("pointsman_breaker_state", model="small", state="open") == 1
            said = await ask(stand, path, stream=stream)
            assert (said.status, said.headers["Retry-After"]) == (503, "5")


@row("D1.10")
@paths
async def test_a_black_hole_gives_way_after_the_connect_timeout(open_stand: OpenStand, path: str) -> None:
    timeouts = Timeouts(connect_s=0.1, first_byte_s=60.0, idle_s=60.0, total_s=None)
    with black_hole() as url:
        small: Any = {"timeouts": timeouts}
        async with open_stand(
            Reply(text="spare"), tiers=TIERS, timeouts=PATIENT, urls={"small": url}, small=small
        ) as stand:
            assert (await ask(stand, path, model="auto")).text == "spare"
            failed = stand.ledger.records[0].attempts[0]
            assert (failed.error, failed.http_status) == ("upstream_timeout", None)
            assert 100 <= failed.total_ms < 5_000


@row("D1.11")
async def test_a_name_that_is_not_found_falls_back_and_looking_it_up_holds_nobody_up(
    open_stand: OpenStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up = asyncio.Event()
    loop = asyncio.get_running_loop()
    answer = socket.getaddrinfo

    def slow(host: Any, *args: Any, **options: Any) -> Any:
        if host != "no-such-host.invalid":
            return answer(host, *args, **options)
        loop.call_soon_threadsafe(looked_up.set)
        asyncio.run_coroutine_threadsafe(served.wait(), loop).result(10.0)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    served = asyncio.Event()
    monkeypatch.setattr(socket, "getaddrinfo", slow)
    url = "http://no-such-host.invalid"
    async with open_stand(Reply(text="spare"), tiers=TIERS, urls={"small": url}, timeouts=PATIENT) as stand:
        asking = asyncio.ensure_future(ask(stand, CHAT, model="auto"))
        await looked_up.wait()
        assert (await ask(stand, CHAT, model="large")).text == "spare", "others are served meanwhile"
        served.set()
        assert (await asking).text == "spare"
        assert stand.ledger.records[-1].attempts[0].error == "upstream_unreachable"
        said = await ask(stand, CHAT)
        assert said.status == 502 and b"invalid" not in said.body


@row("D1.12")
@pytest.mark.parametrize("certificate", ["expired", "wrong-name", "self-signed"])
async def test_a_certificate_that_cannot_be_trusted_is_refused_once_and_falls_back(
    open_stand: OpenStand, certificate: str, capsys: pytest.CaptureFixture[str]
) -> None:
    trust = ssl.create_default_context(cafile=str(TLS / "authority.pem"))

    def served(name: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        own = TLS.parent.parent.parent / "call" / "loopback.pem"
        context.load_cert_chain(own if name == "self-signed" else TLS / f"{name}.pem")
        return context

    async with (
        Upstream(ssl_context=served(certificate)) as bad,
        open_stand(
            Reply(text="spare"),
            tiers=TIERS,
            ssl_context=served("good"),
            transport=HttpTransport(ssl_context=trust),
            urls={"small": bad.url},
            health=forgiving(),
        ) as stand,
    ):
        assert (await ask(stand, CHAT, model="auto")).text == "spare", "over TLS that is trusted"
        said = await ask(stand, CHAT)
        assert said.error is not None
        assert said.status == 502 and "TLS to model 'small' failed" in said.error["message"]
        assert bad.requests == [], "nothing was sent"
        assert await stand.metric("pointsman_alerts_total", model="small", kind="no_way") == 2, "one try each"
    log = capsys.readouterr().out
    assert "TLS to model 'small' failed" in log and "127.0.0.1" not in log.split("failed:")[1].split("\n")[0]


@row("D1.13")
@paths
@streamed
@pytest.mark.parametrize("reset", [False, True], ids=["FIN", "RST"])
async def test_a_pooled_connection_that_had_died_is_replaced_and_a_fresh_one_is_tried_once_more(
    open_stand: OpenStand, path: str, stream: bool, reset: bool
) -> None:
    cut = Reply(fault=CutBeforeAnswer(reset=reset))
    async with open_stand([Reply(), cut, Reply(text="four")], clock=FakeClock()) as stand:
        await ask(stand, path, stream=stream)
        assert (await ask(stand, path, stream=stream)).text == "four"
        record = (await stand.ledger.wait_records(2))[1]
        assert len(record.attempts) == 1, "the free retry is no attempt"
        stand.upstream.play([cut, cut, cut, Reply(text="late")])
        said = await ask(stand, path, stream=stream)
        assert said.status == 502
        record = (await stand.ledger.wait_records(3))[2]
        assert [attempt.error for attempt in record.attempts] == ["upstream_broken", "upstream_broken"]


NO_ANSWERS = {
    "half a header": Garbage(b"HTTP/1.1 200 OK\r\nContent-Ty", stall=True),
    "a header byte by byte": SlowHead(0.02),
    "no answer": NeverAnswer(),
}


@row("D1.14", "D1.15")
@paths
@streamed
@pytest.mark.parametrize("fault", NO_ANSWERS.values(), ids=NO_ANSWERS)
async def test_what_does_not_come_in_time_is_504_or_falls_back(
    open_stand: OpenStand, path: str, stream: bool, fault: Any
) -> None:
    small: Any = {"timeouts": Timeouts(connect_s=10.0, first_byte_s=0.15, idle_s=60.0, total_s=None)}
    script = {"small-2026": Reply(fault=fault), "spare-2026": Reply(text="spare")}
    async with open_stand(script, tiers=TIERS, timeouts=PATIENT, small=small) as stand:
        asked_s = time.monotonic()
        said = await ask(stand, path, stream=stream)
        assert (said.status, said.headers["x-should-retry"]) == (504, "false")
        assert time.monotonic() - asked_s >= 0.15
        assert (await ask(stand, path, stream=stream, model="auto")).text == "spare"
        await stand.upstream.wait_cancelled(2)
        assert len(stand.upstream.requests) == 3, "never asked again: the wait and the bill are not doubled"


@row("D1.14")
@paths
@streamed
async def test_bytes_that_are_no_http_are_502_or_fall_back(open_stand: OpenStand, path: str, stream: bool) -> None:
    garbage = Reply(fault=Garbage())
    script = {"small-2026": garbage, "spare-2026": Reply(text="spare")}
    async with open_stand(script, tiers=TIERS, clock=FakeClock()) as stand:
        assert (await ask(stand, path, stream=stream)).status == 502
        assert (await ask(stand, path, stream=stream, model="auto")).text == "spare"


@row("D1.15")
async def test_no_fallback_begins_when_the_time_of_the_request_is_over(open_stand: OpenStand) -> None:
    timeouts = Timeouts(connect_s=10.0, first_byte_s=0.15, idle_s=60.0, total_s=None)
    health = Health(RetryPolicy(give_up_after_s=0.1))
    async with open_stand(Reply(fault=NeverAnswer()), tiers=TIERS, timeouts=timeouts, health=health) as stand:
        assert (await ask(stand, CHAT, model="auto")).status == 504
        assert len(stand.upstream.requests) == 1


@row("D1.16")
@paths
@streamed
async def test_a_slow_first_byte_within_the_limit_is_served_and_recorded(
    open_stand: OpenStand, path: str, stream: bool
) -> None:
    async with open_stand(Reply(text="four", fault=SlowFirstByte(0.1)), timeouts=PATIENT) as stand:
        assert (await ask(stand, path, stream=stream)).text == "four"
        (record,) = await stand.ledger.wait_records(1)
        assert record.first_byte_ms is not None and record.total_ms is not None
        assert 100 <= record.first_byte_ms <= record.total_ms


@row("D1.32")
@paths
@streamed
async def test_a_redirect_is_never_followed(open_stand: OpenStand, path: str, stream: bool) -> None:
    async with Upstream(Reply(text="the wrong place")) as elsewhere:
        script = {"small-2026": redirect(elsewhere.url + path), "spare-2026": Reply(text="spare")}
        async with open_stand(script, tiers=TIERS, health=forgiving()) as stand:
            said = await ask(stand, path, stream=stream)
            assert said.status == 502
            assert elsewhere.url.encode() not in said.body and "Location" not in said.headers
            assert (await ask(stand, path, stream=stream, model="auto")).text == "spare"
        assert (elsewhere.requests, elsewhere.n_connections) == ([], 0)


@row("D1.34")
@paths
async def test_a_model_that_flaps_costs_no_request_and_gets_exactly_one_probe(open_stand: OpenStand, path: str) -> None:
    clock = FakeClock()
    health = Health(breaker=BreakerPolicy(failures=4, open_s=5.0))
    script = {"small-2026": Reply(status=503), "spare-2026": Reply(text="spare")}
    async with open_stand(script, tiers=TIERS, clock=clock, health=health) as stand:
        for _ in range(6):
            assert (await ask(stand, path, model="auto")).text == "spare"
        assert sum(received.model == "small-2026" for received in stand.upstream.requests) == 4, "opened at four"
        clock.advance(5.0)
        stand.upstream.play({"small-2026": Reply(text="small", fault=HoldAnswer()), "spare-2026": Reply(text="spare")})
        herd = [asyncio.ensure_future(ask(stand, path, model="auto")) for _ in range(20)]
        await stand.ledger.wait_records(6 + 19)
        assert sum(received.model == "small-2026" for received in stand.upstream.requests) == 5, "one probe"
        stand.upstream.release()
        answers = [(await one).text for one in herd]
        assert (answers.count("small"), answers.count("spare")) == (1, 19)
        assert (await ask(stand, path, model="auto")).text == "small", "closed again"


@row("D1.34")
async def test_a_model_alone_that_fails_once_and_works_costs_no_request(open_stand: OpenStand) -> None:
    script = [Reply(status=500), Reply(text="four")] * 3
    async with open_stand(script, clock=FakeClock()) as stand:
        for _ in range(3):
            assert (await ask(stand, CHAT)).text == "four"


@row("D1.35")
async def test_when_all_are_down_requests_fail_fast_and_upstreams_get_probes_only(open_stand: OpenStand) -> None:
    clock = FakeClock()
    async with open_stand(Reply(status=503), clock=clock) as stand:

        async def client(n: int) -> list[float]:
            times_s = []
            for _ in range(n):
                asked_s = time.perf_counter()
                said = await ask(stand, CHAT, model="auto")
                times_s.append(time.perf_counter() - asked_s)
                assert said.status == 503
            return times_s

        await asyncio.gather(*(client(25) for _ in range(16)))
        n_upstream = len(stand.upstream.requests)
        assert n_upstream <= 1.2 * 400, "the load test of the list; far fewer, as the breakers open"
        times_s = sorted(await client(50))
        assert len(stand.upstream.requests) == n_upstream, "none while the breakers are open"
        assert times_s[25] < 0.1
        said = await ask(stand, CHAT, model="auto")
        assert 1 <= int(said.headers["Retry-After"]) <= 5 and "x-should-retry" not in said.headers
        clock.advance(5.0)
        await client(10)
        assert len(stand.upstream.requests) <= n_upstream + 3, "one probe for each model"
        assert await stand.metric("pointsman_models_passed_over_total", model="large") > 0
