"""`pointsman doctor` through the front door: exit codes, what it finds, and that it never prints a key."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from pointsman.cli.main import app
from pointsman.errors import BadRequest
from pointsman.record import open_ledger
from pointsman.testing import NeverAnswer, Reply, Upstream, html_page, rate_limited
from pointsman.vocabulary import Usage

KEY = "sk-canary-1234567890"


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("POINTSMAN_CONFIG", raising=False)
    monkeypatch.setenv("CANARY_KEY", KEY)


def settings(base_url: str = "http://127.0.0.1:9/v1") -> dict[str, Any]:
    """Two tiers at one provider, with a key from a variable."""

    def model(name: str, usd: float) -> dict[str, Any]:
        return {
            "name": name,
            "provider": "openai-compatible",
            "model": name,
            "base_url": base_url,
            "api_key": "${CANARY_KEY}",
            "price": {"input_usd_per_mtok": usd, "output_usd_per_mtok": 2 * usd},
            "context_window_tokens": 100_000,
        }

    return {
        "models": [model("small", 1.0), model("large", 10.0)],
        "tiers": [{"name": "cheap", "models": ["small"]}, {"name": "strong", "models": ["large"]}],
        "policies": {"auto": {"kind": "threshold", "max_quality_loss": 0.01}},
    }


def doctor(config: dict[str, Any] | str | None, *options: str) -> tuple[int, list[dict[str, Any]]]:
    """Exit code and checks. No output ever holds the key."""
    if config is not None:
        Path("pointsman.yaml").write_text(config if isinstance(config, str) else yaml.safe_dump(config))
    result = CliRunner().invoke(app, ["doctor", "--json", *options])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert KEY not in result.output
    out = json.loads(result.stdout)
    assert out["ok"] == (result.exit_code == 0)
    assert out["n_faults"] == sum(check["state"] == "fault" for check in out["checks"])
    return result.exit_code, out["checks"]


def of(checks: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [check for check in checks if check["check"] == name]


def one(checks: list[dict[str, Any]], name: str) -> dict[str, Any]:
    [check] = of(checks, name)
    return check


@pytest.fixture
def listening() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


# ---------------------------------------------------------------- without calls


def test_all_is_well_and_says_how_many_labels_would_change_the_default(listening: int) -> None:
    code, checks = doctor(settings(f"http://127.0.0.1:{listening}/v1"))
    assert code == 0
    assert {check["state"] for check in checks} == {"ok", "warning"}
    assert one(checks, "variables")["found"] == "all set: CANARY_KEY"
    assert "small, large: 127.0.0.1" in one(checks, "providers")["found"]
    assert "trained on" in one(checks, "router")["found"]
    labels = one(checks, "labels")
    # Betting with a limit of 1 %: log(20) / log(1 + stake * 0.01), see pointsman.tune.sample_size.
    assert "`pointsman tune` needs at least 373 labelled prompts" in labels["found"]
    assert "serve` makes it" in one(checks, "ledger")["found"]
    assert one(checks, "address")["state"] == one(checks, "clock")["state"] == "ok"
    assert not Path("pointsman.db").exists(), "the doctor makes nothing"


def test_the_table_for_people_says_what_to_do_and_counts() -> None:
    Path("pointsman.yaml").write_text(yaml.safe_dump(settings()))
    result = CliRunner().invoke(app, ["doctor", "--offline"])
    assert result.exit_code == 0
    assert "→" in result.stdout
    assert "0 faults, 2 warnings" in result.stdout
    assert KEY not in result.output


def test_without_a_configuration_there_is_a_fault_and_what_to_run() -> None:
    code, checks = doctor(None)
    assert code == 1
    fault = one(checks, "configuration")
    assert fault["state"] == "fault"
    assert "pointsman init" in fault["advice"]


def test_every_mistake_of_the_file_is_a_finding_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CANARY_KEY")
    config = settings() | {"sesion": {}}
    code, checks = doctor(config)
    assert code == 1
    assert "pointsman.yaml:" in one(checks, "configuration")["found"]
    assert one(checks, "configuration")["advice"] == "did you mean `session`?"
    missing = of(checks, "variables")
    assert len(missing) == 2
    assert all("CANARY_KEY is not set" in check["found"] and check["state"] == "fault" for check in missing)


def test_a_provider_that_is_not_there_is_a_fault_and_offline_does_not_look() -> None:
    code, checks = doctor(settings(), "--timeout", "5")
    assert code == 1
    assert one(checks, "providers")["found"] == "small, large: 127.0.0.1:9: the connection was refused"
    code, checks = doctor(settings(), "--offline")
    assert (code, of(checks, "providers")) == (0, [])


def test_keys_written_into_a_file_that_others_may_read() -> None:
    config = settings()
    config["models"][0]["api_key"] = KEY
    Path("pointsman.yaml").touch(mode=0o644)
    code, checks = doctor(config, "--offline")
    assert code == 1
    assert "models[0].api_key" in one(checks, "file")["found"]
    Path("pointsman.yaml").chmod(0o600)
    code, checks = doctor(config, "--offline")
    assert (code, one(checks, "file")["state"]) == (0, "warning")


def test_a_public_address_without_keys() -> None:
    code, checks = doctor(settings() | {"server": {"host": "0.0.0.0"}}, "--offline")
    assert (code, one(checks, "address")["state"]) == (1, "fault")


def test_tiers_the_wrong_way_round_and_unknown_prices_and_windows() -> None:
    config = settings()
    config["tiers"].reverse()
    del config["models"][0]["context_window_tokens"]
    code, checks = doctor(config, "--offline")
    assert code == 0
    assert "no more than tier strong before it" in one(checks, "tiers")["found"]
    assert "window of small is not known" in one(checks, "windows")["found"]
    del config["models"][0]["price"]
    assert "small has no price" in of(doctor(config, "--offline")[1], "prices")[0]["found"]


def test_a_cascade_is_looked_into() -> None:
    config = settings()
    config["policies"] = {"auto": {"kind": "cascade", "accept": 0.8, "max_latency_ms": 900}}
    config["models"][0]["dialects"] = ["anthropic-messages"]
    config["cascade"] = {"judge": {"model": "large", "timeout_ms": 5000}}
    code, checks = doctor(config, "--offline")
    assert code == 0
    found = [check["found"] for check in of(checks, "cascade")]
    assert [check["state"] for check in of(checks, "cascade")] == ["warning"] * len(found)
    for said in (
        "the built-in judge, whose P(good) is not calibrated",
        "the upstream of small gives no token probabilities",
        "a token of the judge large costs 100% of one of the strong model",
        "may take 5,000",
    ):
        assert sum(said in each for each in found) == 1, (said, found)


def test_a_cascade_file_that_cannot_be_used_is_a_fault_of_its_policy(tmp_path: Path) -> None:
    config = settings()
    config["policies"] = {"auto": {"kind": "cascade", "file": "policy.json"}}
    (tmp_path / "policy.json").write_text(json.dumps({"plan": None}))
    code, checks = doctor(config, "--offline")
    assert code == 1
    [fault] = [check for check in checks if check["state"] == "fault"]
    assert "policy auto" in fault["found"]


def test_an_artifact_that_does_not_load() -> None:
    code, checks = doctor(settings() | {"router": {"artifact": "nowhere"}}, "--offline")
    assert code == 1
    assert "no router artifact" in one(checks, "router")["found"]
    assert one(checks, "ledger")["state"] == "ok", "what does not depend on it is still looked at"


def test_a_ledger_is_looked_into_and_left_as_it_was() -> None:
    open_ledger("mine.db").close()
    before = Path("mine.db").read_bytes()
    code, checks = doctor(settings(), "--offline", "--ledger", "mine.db")
    assert code == 0
    assert "sound" in one(checks, "ledger")["found"]
    assert "writable, 0 records" in one(checks, "ledger")["found"]
    assert Path("mine.db").read_bytes() == before
    Path("mine.db").write_bytes(b"not a database" * 100)
    code, checks = doctor(settings(), "--offline", "--ledger", "mine.db")
    assert code == 1
    assert "not an SQLite database" in one(checks, "ledger")["found"]


def test_labels_of_ones_own_tell_how_many_more_are_needed() -> None:
    config = settings() | {"policies": {"auto": {"kind": "threshold", "max_quality_loss": 0.05}}}
    rows = [
        {"prompt_id": str(n), "prompt": f"What is {n} plus {n}?", "model": model, "score": 1.0, "cost_usd": usd}
        for n in range(300)
        for model, usd in (("small", 0.001), ("large", 0.01))
    ]
    Path("all.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    Path("few.jsonl").write_text("\n".join(json.dumps(row) for row in rows[:40]))
    enough = one(doctor(config, "--offline", "--labels", "all.jsonl")[1], "labels")
    assert (enough["state"], enough["advice"]) == ("ok", None)
    assert "Use small for everything" in enough["found"]
    few = one(doctor(config, "--offline", "--labels", "few.jsonl")[1], "labels")
    assert few["state"] == "warning"
    # 73 when no answer ever gets worse: log(20) / log(1 + stake * 0.05), see pointsman.tune.sample_size.
    assert "20 different prompts are too few" in few["found"]
    assert "73 are needed, 53 more" in few["found"]
    code, checks = doctor(config, "--offline", "--labels", "nothing.jsonl")
    assert (code, one(checks, "labels")["state"]) == (1, "fault")


@pytest.mark.slow
def test_a_router_trained_for_these_models_and_a_tuned_policy_are_told() -> None:
    rows = []
    for n in range(160):
        easy = n % 2 == 0
        prompt = f"What is {n} plus {n + 1}?" if easy else f"Prove that there are {n} primes below x, and derive x."
        for model, right, usd in (("small", easy, 0.001), ("large", True, 0.01)):
            rows.append({"prompt_id": str(n), "prompt": prompt, "model": model, "score": float(right), "cost_usd": usd})
    Path("all.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    for command in (
        "train all.jsonl --models small,large --to art --encoder none",
        "tune all.jsonl --router art --folds 2 --models small,large --max-quality-loss 0.1 --to policy.json",
    ):
        assert CliRunner().invoke(app, command.split(), catch_exceptions=False).exit_code == 0
    config = settings() | {
        "router": {"artifact": "art"},
        "policies": {"auto": {"kind": "threshold", "file": "policy.json"}},
    }
    code, checks = doctor(config, "--offline")
    assert code == 0
    assert one(checks, "router")["state"] == "ok"
    assert "was trained on 160 prompts" in one(checks, "router")["found"]
    assert one(checks, "labels")["found"].startswith("policy auto was tuned: Route: large gets")


def test_simulated_models_are_named_and_not_connected_to() -> None:
    config = settings()
    for model in config["models"]:
        model |= {"provider": "sim"}
        del model["base_url"], model["api_key"]
    code, checks = doctor(config)
    assert (code, of(checks, "providers")) == (0, [])
    assert one(checks, "models")["found"] == "small, large: simulated; the answers are not real"


def test_no_policy_that_scores_needs_no_router() -> None:
    config = settings() | {"policies": {"all": {"kind": "fixed", "tier": "cheap"}}, "default_policy": "all"}
    code, checks = doctor(config, "--offline")
    assert (code, one(checks, "router")["found"]) == (0, "no policy uses the trained router")
    assert of(checks, "labels") == []


def test_live_and_offline_together_are_bad_usage() -> None:
    with pytest.raises(BadRequest, match="give one of them"):
        doctor(settings(), "--live", "--offline")


# ---------------------------------------------------------------- with one call per model


async def live(script: Any, *options: str) -> tuple[int, list[dict[str, Any]], list[str]]:
    """Exit code, checks, and the models that were called."""
    async with Upstream(script) as upstream:
        code, checks = await asyncio.to_thread(doctor, settings(upstream.url + "/v1"), "--live", *options)
        assert all(("authorization", f"Bearer {KEY}") in request.headers for request in upstream.requests)
        return code, checks, sorted(request.model or "" for request in upstream.requests)


async def test_live_tries_each_key_and_model_once_and_compares_the_clock() -> None:
    code, checks, called = await live(Reply(text="OK", usage=Usage(10, 1)))
    assert (code, called) == (0, ["large", "small"])
    found = [check["found"] for check in of(checks, "providers")]
    assert all("answered in" in each for each in found)
    assert "0.000012 USD" in found[0], "10 tokens at 1 and one at 2 USD per million"
    assert [check["state"] for check in of(checks, "clock")] == ["ok", "ok"]
    assert "from the clock of" in of(checks, "clock")[1]["found"]


async def test_live_tells_a_refused_key_by_its_variable_and_an_unknown_model() -> None:
    code, checks, _ = await live(
        {"small": Reply(status=401, error_message=f"bad key {KEY}"), "large": Reply(status=404)}
    )
    assert code == 1
    small, large = of(checks, "providers")
    assert "env CANARY_KEY) was refused" in small["found"]
    assert "not known there" in large["found"]


async def test_live_tells_a_busy_provider_from_a_wrong_one() -> None:
    code, checks, _ = await live({"small": rate_limited(), "large": html_page()})
    assert code == 1
    small, large = of(checks, "providers")
    assert (small["state"], large["state"]) == ("warning", "fault")
    assert "HTML" in large["found"]


async def test_live_waits_no_longer_than_it_is_told() -> None:
    code, checks, _ = await live({"small": Reply(fault=NeverAnswer()), "large": Reply(text="OK")}, "--timeout", "0.5")
    assert code == 1
    assert "small did not answer" in of(checks, "providers")[0]["found"]
    assert of(checks, "providers")[1]["state"] == "ok"


async def test_live_sees_a_clock_that_is_wrong() -> None:
    _, checks, _ = await live(Reply(text="OK", headers={"Date": "Wed, 25 Nov 2020 12:00:00 GMT"}))
    assert "ahead of the clock" in of(checks, "clock")[1]["found"]
