"""The ledger's commands over a PostgreSQL server."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from tests.record.conftest import record_by_hand
from typer.testing import CliRunner

from pointsman.cli import keys_commands
from pointsman.cli.doctor_ledger import look_at_ledger
from pointsman.cli.ledger_commands import register
from pointsman.doctor import State
from pointsman.record import open_ledger
from pointsman.record.migrations import HEAD
from pointsman.vocabulary import Feedback


@pytest.fixture
def url(postgres_url: str) -> str:
    """A ledger with ten records, one of them with feedback."""
    ledger = open_ledger(postgres_url, store_prompts=True)
    for n in range(10):
        ledger.write(record_by_hand(n, prompt_json=b'{"q": 1}', answer_text="a", key_id="team"))
    ledger.write_feedback(Feedback(record_by_hand(3).request_id, datetime(2026, 11, 3, tzinfo=UTC), score=1.0))
    assert ledger.flush()
    ledger.close()
    return postgres_url


@pytest.fixture
def run(url: str) -> Any:
    app = typer.Typer()
    register(app)
    app.add_typer(keys_commands.app, name="keys")

    def run_one(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, [*words, "--ledger", url], catch_exceptions=False)
        assert result.exit_code == code, result
        return result.stdout

    return run_one


def test_savings_logs_and_export(run: Any, tmp_path: Path) -> None:
    total = json.loads(run("savings", "--by", "key", "--json"))["real"]["total"]
    assert (total["n_requests"], round(total["saved_usd"], 6)) == (10, 0.09)
    page = json.loads(run("logs", "--json", "--limit", "3"))
    assert [one["request_id"] for one in page["records"]] == [record_by_hand(n).request_id for n in (9, 8, 7)]
    run("export", "--to", str(tmp_path / "all.jsonl"), "--with-prompts")
    lines = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert [line["request_id"] for line in lines] == [record_by_hand(n).request_id for n in range(10)]
    assert {(line["prompt"], line["answer"], len(line["attempts"])) for line in lines} == {('{"q": 1}', "a", 1)}
    assert [len(line["feedback"]) for line in lines] == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]


def test_db_commands(run: Any, url: str) -> None:
    assert json.loads(run("db", "path", "--json")) == {"path": url, "exists": True}
    assert f"is at schema {HEAD} already" in run("db", "upgrade")
    found = json.loads(run("db", "check", "--json"))
    assert (found["ok"], found["schema"], found["n_records"]) == (True, HEAD, 10)
    assert found["n_bytes"] > 0
    pruned = json.loads(run("db", "prune", "--older-than", "2026-11-01T00:05", "--yes", "--json"))
    assert pruned["n_deleted"] == 5
    assert json.loads(run("db", "check", "--json"))["n_records"] == 5


def test_keys_are_made_listed_and_revoked(run: Any) -> None:
    made = json.loads(run("keys", "create", "--name", "alice", "--usd-per-day", "2", "--json"))
    assert made["key"].startswith(made["prefix"])
    assert [key["state"] for key in json.loads(run("keys", "list", "--json"))] == ["valid"]
    run("keys", "revoke", "alice")
    assert [key["state"] for key in json.loads(run("keys", "list", "--json"))] == ["revoked"]


def test_the_doctor_finds_a_server_sound_or_says_what_is_not(url: str, tmp_path: Path, postgres: Any) -> None:
    found = look_at_ledger(url, tmp_path / "spool")
    assert {finding.state for finding in found} == {State.OK}
    assert "writable, 10 records" in found[0].found
    (tmp_path / "file").write_text("")
    assert State.FAULT in {finding.state for finding in look_at_ledger(url, tmp_path / "file" / "spool")}
    away = look_at_ledger("postgresql://me:hunter2@127.0.0.1:1/x", tmp_path)
    assert [finding.state for finding in away] == [State.FAULT]
    assert "hunter2" not in away[0].found
    empty = postgres.make_database()
    assert "holds no ledger yet" in look_at_ledger(postgres.url(empty))[0].found
    postgres.drop_database(empty)
