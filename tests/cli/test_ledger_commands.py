"""savings, logs, export and db through the command line."""

from __future__ import annotations

import csv
import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from pointsman.cli.ledger_address import ledger_url, moment
from pointsman.cli.ledger_commands import register
from pointsman.errors import BadRequest, LedgerError
from pointsman.record import open_ledger
from pointsman.record.savings import SavingsBy
from pointsman.vocabulary import (
    Attempt,
    AttemptStatus,
    Cost,
    Dialect,
    Feedback,
    Record,
    ShadowLabel,
    ShadowStatus,
    Usage,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def record(n: int, **changes: Any) -> Record:
    usage = Usage(300, 100)
    attempt = Attempt("small", "cheap", AttemptStatus.OK, 200, None, usage, Cost(0.25), 1.0, 2.0)
    fields: dict[str, Any] = {
        "request_id": f"req_{n}",
        "created_at": NOW + timedelta(minutes=n),
        "endpoint": "/v1/chat/completions",
        "dialect": Dialect.OPENAI_CHAT,
        "requested_model": "auto",
        "status": "ok",
        "http_status": 200,
        "decision": None,
        "attempts": (attempt,),
        "usage": usage,
        "cost": Cost(0.25),
        "baseline_model": "large",
        "baseline_cost": Cost(1.0),
        "tags": ("[bold]ü", "=1+1"),
    }
    return Record(**{**fields, **changes})


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """Three records: one of unknown cost, one with feedback and a prompt, one simulated."""
    path = tmp_path / "ledger.db"
    ledger = open_ledger(str(path), store_prompts=True)
    ledger.write(record(1, prompt_json=b'{"q": 1}', answer_text="a"))
    ledger.write(record(2, cost=Cost(None, "no price"), status="error", error="upstream_error"))
    ledger.write(record(3, simulated=True))
    ledger.write_feedback(Feedback("req_1", NOW, score=1.0, comment="good"))
    ledger.close()
    return path


@pytest.fixture
def run() -> Any:
    app = typer.Typer()
    register(app)

    def run_one(*words: str, code: int = 0, stdin: str | None = None) -> str:
        result = CliRunner().invoke(app, [str(word) for word in words], input=stdin, catch_exceptions=False)
        assert result.exit_code == code, result
        return result.stdout

    return run_one


def test_savings_in_words(run: Any, db: Path) -> None:
    out = run("savings", "--ledger", db)
    assert "0.750000" in out
    assert "75.0%" in out
    assert "1 requests of unknown cost" in out
    assert "Simulated answers" in out


@pytest.mark.parametrize("by", list(SavingsBy))
def test_savings_as_json(run: Any, db: Path, by: SavingsBy) -> None:
    out = json.loads(run("savings", "--ledger", db, "--json", "--by", by.value, "--since", "2026-11-23"))
    total = out["real"]["total"]
    assert (total["n_requests"], total["n_unknown_cost"], total["saved_usd"], total["saved_share"]) == (
        2,
        1,
        0.75,
        0.75,
    )
    assert out["simulated"]["total"]["n_requests"] == 1
    assert out["since"] == "2026-11-23T00:00:00+00:00"


def test_savings_of_no_requests(run: Any, db: Path) -> None:
    assert "no requests" in run("savings", "--ledger", db, "--since", "2027-01-01")


def test_logs_in_words(run: Any, db: Path) -> None:
    lines = run("logs", "--ledger", db, "-n", "2").splitlines()
    assert lines[0] == "2026-11-23 12:03:00  req_3  ok  small (cheap)  cost $0.250000  saved $0.750000  simulated"
    assert "error (upstream_error)" in lines[1]
    assert "cost unknown" in lines[1]
    assert lines[2].startswith("more: --cursor ")
    rest = run("logs", "--ledger", db, "--cursor", lines[2].removeprefix("more: --cursor "))
    assert "req_1" in rest
    assert "req_2" not in rest


def test_logs_as_json_and_filtered(run: Any, db: Path) -> None:
    out = json.loads(run("logs", "--ledger", db, "--json", "--status", "error"))
    assert [one["request_id"] for one in out["records"]] == ["req_2"]
    assert out["next_cursor"] is None
    assert "no such requests" in run("logs", "--ledger", db, "--tag", "none")


def test_one_request_with_everything(run: Any, db: Path) -> None:
    out = json.loads(run("logs", "--ledger", db, "--id", "req_1"))
    assert out["attempts"][0]["model"] == "small"
    assert out["feedback"][0]["comment"] == "good"
    run("logs", "--ledger", db, "--id", "req_none", code=1)


def test_export_as_jsonl(run: Any, db: Path, tmp_path: Path) -> None:
    to = tmp_path / "out.jsonl"
    assert "3 records" in run("export", "--ledger", db, "--to", to)
    lines = [json.loads(line) for line in to.read_text(encoding="utf-8").splitlines()]
    assert [line["request_id"] for line in lines] == ["req_1", "req_2", "req_3"]
    assert lines[0]["tags"] == ["[bold]ü", "=1+1"]
    assert "prompt" not in lines[0]
    assert stat.S_IMODE(to.stat().st_mode) == 0o600
    assert sorted(file.name for file in tmp_path.iterdir()) == ["ledger.db", "out.jsonl"]


def test_export_to_standard_output(run: Any, db: Path) -> None:
    assert len(run("export", "--ledger", db, "--to", "-").splitlines()) == 3
    with pytest.raises(BadRequest, match="JSONL only"):
        run("export", "--ledger", db, "--to", "-", "--format", "csv")


def test_export_as_csv_with_prompts(run: Any, db: Path, tmp_path: Path) -> None:
    to = tmp_path / "out.csv"
    run("export", "--ledger", db, "--to", to, "--with-prompts")
    with to.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["cost_usd"] for row in rows] == ["0.25", "", "0.25"]
    assert [row["prompt"] for row in rows] == ['{"q": 1}', "", ""]
    assert [row["feedback_score"] for row in rows] == ["1.0", "", ""]
    assert [row["input_tokens"] for row in rows] == ["300"] * 3


def test_export_as_parquet(run: Any, db: Path, tmp_path: Path) -> None:
    to = tmp_path / "out.parquet"
    out = json.loads(run("export", "--ledger", db, "--to", to, "--json"))
    assert out == {"path": str(to), "format": "parquet", "n_records": 3}
    table = pq.read_table(to)
    assert table["cost_usd"].to_pylist() == [0.25, None, 0.25]
    assert table["simulated"].to_pylist() == [False, False, True]
    assert json.loads(table["attempts"][0].as_py())[0]["status"] == "ok"


def test_an_existing_file_is_replaced_only_by_force(run: Any, db: Path, tmp_path: Path) -> None:
    to = tmp_path / "out.jsonl"
    to.write_text("mine", encoding="utf-8")
    with pytest.raises(BadRequest, match="exists"):
        run("export", "--ledger", db, "--to", to)
    assert to.read_text(encoding="utf-8") == "mine"
    run("export", "--ledger", db, "--to", to, "--force")
    assert to.read_text(encoding="utf-8").count("\n") == 3


def test_an_export_that_cannot_be_written_leaves_nothing(run: Any, db: Path, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="cannot write"):
        run("export", "--ledger", db, "--to", tmp_path / "missing" / "out.csv")
    assert [file.name for file in tmp_path.iterdir()] == ["ledger.db"]


def test_db_check_path_and_upgrade(run: Any, db: Path) -> None:
    assert run("db", "path", "--ledger", f"sqlite:///{db}").strip() == str(db)
    out = json.loads(run("db", "check", "--ledger", db, "--json"))
    assert (out["ok"], out["n_records"], out["faults"]) == (True, 3, [])
    assert "3 records" in run("db", "check", "--ledger", db)
    assert "already" in run("db", "upgrade", "--ledger", db)


def test_db_upgrade_makes_a_ledger(run: Any, tmp_path: Path) -> None:
    out = json.loads(run("db", "upgrade", "--ledger", tmp_path / "new.db", "--json"))
    assert out["from"] is None
    assert json.loads(run("db", "check", "--ledger", tmp_path / "new.db", "--json"))["ok"]


def test_db_check_of_something_else_is_no(run: Any, tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    out = json.loads(run("db", "check", "--ledger", tmp_path / "empty.db", "--json", code=1))
    assert (out["ok"], out["schema"]) == (False, None)
    with pytest.raises(LedgerError, match="there is no ledger"):
        run("db", "check", "--ledger", tmp_path / "none.db")


def test_db_prune_asks_first(run: Any, db: Path) -> None:
    run("db", "prune", "--ledger", db, "--older-than", "2027-01-01", stdin="n\n", code=1)
    assert json.loads(run("db", "check", "--ledger", db, "--json"))["n_records"] == 3
    out = json.loads(run("db", "prune", "--ledger", db, "--older-than", "2026-11-23T12:02:30", "--yes", "--json"))
    assert out["n_deleted"] == 2
    assert json.loads(run("db", "check", "--ledger", db, "--json"))["n_records"] == 1


def test_the_configured_ledger_is_read(run: Any, db: Path, tmp_path: Path) -> None:
    config = tmp_path / "pointsman.yaml"
    config.write_text(
        f"models: [{{name: m, provider: sim}}]\ntiers: [{{name: only, models: [m]}}]\nledger: {{url: 'sqlite:///{db}'}}\n",
        encoding="utf-8",
    )
    assert ledger_url(config, None) == f"sqlite:///{db}"
    assert "req_1" in run("logs", "--config", config)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("90m", NOW - timedelta(minutes=90)),
        ("12h", NOW - timedelta(hours=12)),
        ("7d", NOW - timedelta(days=7)),
        ("4w", NOW - timedelta(weeks=4)),
        ("2026-11-23", datetime(2026, 11, 23, tzinfo=UTC)),
        ("2026-11-23T10:00:00+02:00", datetime(2026, 11, 23, 8, tzinfo=UTC)),
    ],
)
def test_times_on_the_command_line(text: str | None, expected: datetime | None) -> None:
    assert moment(text, option="--since", now=NOW) == expected


@pytest.mark.parametrize("text", ["", "7", "7y", "-7d", "yesterday", "999999w", "2026-13-01"])
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(BadRequest, match="--since is"):
        moment(text, option="--since", now=NOW)


def test_savings_and_exports_tell_of_shadows(db: Path, tmp_path: Path, run: Any) -> None:
    """The first request cost 0.25 USD where 1 would have been spent; its comparison cost 0.5."""
    ledger = open_ledger(str(db))
    judged = ShadowStatus.JUDGED
    ledger.write_shadow(
        ShadowLabel(
            "req_1",
            NOW,
            "auto",
            "f",
            "score",
            "small",
            "cheap",
            "large",
            "strong",
            "j",
            judged,
            0.5,
            True,
            0.1,
            0.375,
            0.125,
        )
    )
    ledger.close()
    said = run("savings", "--ledger", db)
    assert "0.500000 USD of what was spent went into shadows" in said
    total = json.loads(run("savings", "--ledger", db, "--json"))["real"]["total"]
    assert (total["spent_usd"], total["shadow_usd"], total["saved_usd"]) == (0.75, 0.5, 0.25)
    run("export", "--ledger", db, "--to", tmp_path / "all.parquet")
    shadows = pq.read_table(tmp_path / "all.parquet")["shadow"].to_pylist()
    assert json.loads(shadows[0])["score"] == 0.5
    assert shadows[1:] == [None, None]
