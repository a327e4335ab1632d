"""keys create, list and revoke through the command line, and a gateway that runs meanwhile."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from typer.testing import CliRunner

from pointsman.cli.keys_commands import app
from pointsman.errors import BadRequest, LedgerError
from pointsman.gateway.virtual_keys import REFRESH_S
from pointsman.record import KeyStore
from pointsman.record.sqlite import SqliteFile

NOW = datetime(2026, 11, 25, 4, tzinfo=UTC)
CONFIG = """
models: [{name: small, provider: sim, simulate: {latency_ms: 0}}]
tiers: [{name: only, models: [small]}]
keys: {clients: [{name: carol, key: key-of-carol}]}
ledger: {url: "sqlite:///%s"}
"""


def run(*arguments: str) -> Any:
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def config(tmp_path: Path, ledger: Path) -> Path:
    file = tmp_path / "pointsman.yaml"
    file.write_text(CONFIG % ledger)
    return file


def test_a_key_is_shown_once(config: Path, ledger: Path) -> None:
    made = json.loads(
        run(
            *("create", "--name", "alice", "--models", "small", "--policies", "auto", "--usd-per-day", "2.5"),
            *("--usd-per-month", "20", "--requests-per-min", "60", "--tokens-per-min", "9000"),
            *("--max-concurrent", "4", "--expires", "30d", "--config", str(config), "--json"),
        ).stdout
    )
    secret, digest = made["key"], hashlib.sha256(made["key"].encode()).hexdigest()
    assert (made["state"], made["models"], made["policies"], made["usd_per_day"]) == ("valid", ["small"], ["auto"], 2.5)
    shown = run("list", "--config", str(config)).stdout + run("list", "--config", str(config), "--json").stdout
    assert "alice" in shown and made["prefix"] in shown
    for hidden in (secret, secret.rpartition("-")[2], digest):
        assert hidden not in shown
    assert KeyStore(SqliteFile(ledger)).all()[0].digest.hex() == digest


def test_the_key_alone_goes_to_stdout(ledger: Path) -> None:
    result = run("create", "--name", "bob", "--ledger", str(ledger))
    assert result.stdout.startswith("sk-pm-") and len(result.stdout.split()) == 1
    assert "only time" in result.stderr


def test_revoked_and_expired_keys_are_listed_as_such(ledger: Path) -> None:
    for name in ("alice", "bob"):
        run("create", "--name", name, "--ledger", str(ledger))
    gone = json.loads(run("revoke", "alice", "--ledger", str(ledger), "--json").stdout)
    assert gone["state"] == "revoked" and gone["revoked_at"] is not None
    states = {key["name"]: key["state"] for key in json.loads(run("list", "--ledger", str(ledger), "--json").stdout)}
    assert states == {"alice": "revoked", "bob": "valid"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--name", "carol"), "is a client"),
        (("--name", "admin"), "admin key"),
        (("--name", "a b"), "expected letters"),
        (("--name", "x" * 65), "at most 64"),
        (("--name", "ok", "--models", "large"), "no model named large"),
        (("--name", "ok", "--policies", "auto,best"), "no policy named best"),
        (("--name", "ok", "--models", ","), "names nothing"),
        (("--name", "ok", "--expires", "soon"), "expected a span"),
        (("--name", "ok", "--expires", "2020-01-01"), "over already"),
    ],
)
def test_what_cannot_be_made(config: Path, ledger: Path, arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        run("create", *arguments, "--config", str(config))
    assert not ledger.exists() or KeyStore(SqliteFile(ledger)).all() == ()


@pytest.mark.parametrize("arguments", [("--usd-per-day", "-1"), ("--requests-per-min", "0"), ()])
def test_wrong_usage_exits_with_2(ledger: Path, arguments: tuple[str, ...]) -> None:
    name = ("--name", "ok") if arguments else ()
    assert run("create", *name, *arguments, "--ledger", str(ledger)).exit_code == 2


def test_there_is_nothing_to_list_or_revoke_without_a_ledger(ledger: Path) -> None:
    with pytest.raises(LedgerError, match="no ledger"):
        run("list", "--ledger", str(ledger))
    with pytest.raises(LedgerError, match="no ledger"):
        run("revoke", "alice", "--ledger", str(ledger))
    assert not ledger.exists()


def test_an_empty_list_says_what_to_do(ledger: Path) -> None:
    run("create", "--name", "a", "--ledger", str(ledger))
    other = ledger.with_name("other.db")
    from pointsman.record import prepare

    prepare(str(other))
    assert "keys create" in run("list", "--ledger", str(other)).stdout


async def test_a_running_gateway_lets_a_new_key_in_and_a_revoked_one_out_within_the_stated_time(
    config: Path, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "pointsman", "serve", "--config", str(config), "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stderr is not None
    try:
        url = ""
        while not url:
            entry = json.loads(await asyncio.to_thread(process.stderr.readline))
            url = entry.get("url", "")
        key = run("create", "--name", "alice", "--config", str(config)).stdout.strip()
        async with aiohttp.ClientSession(headers={"x-api-key": key}) as session:

            async def until(status: int) -> float:
                began_s = asyncio.get_running_loop().time()
                async with asyncio.timeout(30):
                    while True:
                        async with session.get(url + "/v1/models") as response:
                            if response.status == status:
                                return asyncio.get_running_loop().time() - began_s
                        await asyncio.sleep(0.2)

            # Twice the time, for a machine that is busy with other tests.
            assert await until(200) < 2 * REFRESH_S + 1
            run("revoke", "alice", "--config", str(config))
            assert await until(401) < 2 * REFRESH_S + 1
    finally:
        process.send_signal(signal.SIGTERM)
        rest = await asyncio.to_thread(process.communicate)
    assert process.returncode == 0
    assert key not in rest[1]
