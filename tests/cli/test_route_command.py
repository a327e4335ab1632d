"""`pointsman route` through the front door: text, files, rules, JSON, and bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CONFIG = """
models:
  - {name: small, provider: sim, simulate: {priced_as: openai/gpt-4o-mini}}
  - {name: large, provider: sim, simulate: {priced_as: openai/gpt-4o}}
tiers:
  - {name: cheap, models: [small]}
  - {name: strong, models: [large]}
policies: {auto: {kind: rules, otherwise: strong}}
rules:
  - {name: short, when: {max_prompt_tokens: 20}, use: cheap}
"""
RULES = """
- {name: watch, when: {prompt_keywords: [refund]}, use: strong, mode: observe}
- {name: everything, when: {}, use: cheap}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pointsman.yaml").write_text(CONFIG)
    (tmp_path / "rules.yaml").write_text(RULES)
    return tmp_path


def pointsman(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pointsman", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"COLUMNS": "200", "PATH": "", "NO_COLOR": "1"},
    )


def test_a_text_is_decided_and_explained(folder: Path) -> None:
    done = pointsman(folder, "route", "What are your opening hours?")
    assert done.returncode == 0, done.stderr
    for word in ("small", "cheap", "rule “short”", "alternatives", "nothing was called"):
        assert word in done.stdout


def test_json_is_one_decision(folder: Path) -> None:
    done = pointsman(folder, "route", "What are your opening hours?", "--json")
    decision = json.loads(done.stdout)
    assert (decision["model"], decision["tier"], decision["reason_code"]) == ("small", "cheap", "rule")
    assert decision["estimated_saved_usd"] > 0
    assert [other["model"] for other in decision["alternatives"]] == ["small", "large"]


def test_rules_of_a_file_replace_the_configured_ones_and_say_which_would_have_fired(folder: Path) -> None:
    done = pointsman(folder, "route", "I want a refund. " + "Please. " * 60, "--rules", "rules.yaml", "--json")
    decision = json.loads(done.stdout)
    assert decision["tier"] == "cheap"
    assert [(rule["rule"], rule["mode"], rule["fired"]) for rule in decision["rules"]] == [
        ("watch", "observe", True),
        ("everything", "enforce", True),
    ]


def test_a_file_of_requests_in_every_form_is_summed_up(folder: Path) -> None:
    rows: list[dict[str, object]] = [
        {"prompt_id": "a", "prompt": "Hi, when do you open?"},
        {"prompt_id": "a", "prompt": "the same id again is passed over"},
        {"id": "b", "messages": [{"role": "user", "content": "Explain. " * 40}]},
        {"custom_id": "c", "body": {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}},
        {"input": "Hello there"},
        {"system": "Be brief.", "max_tokens": 5, "messages": [{"role": "user", "content": "Hello"}]},
    ]
    file = folder / "requests.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows))
    done = pointsman(folder, "route", "--file", "requests.jsonl", "--to", "decisions.jsonl")
    assert done.returncode == 0, done.stderr
    assert "5 decisions" in done.stdout
    assert "short" in done.stdout
    decisions = [json.loads(line) for line in (folder / "decisions.jsonl").read_text().splitlines()]
    assert [(d["request_id"], d["tier"]) for d in decisions] == [
        ("a", "cheap"),
        ("b", "strong"),
        ("c", "cheap"),
        ("row-5", "cheap"),
        ("row-6", "cheap"),
    ]


def test_parquet_is_read_and_prompts_are_counted_once(folder: Path) -> None:
    import polars

    frame = polars.DataFrame(
        {"prompt_id": ["a", "a", "b"], "prompt": ["Hello", "Hello", "Explain. " * 40], "model": ["x", "y", "x"]}
    )
    frame.write_parquet(folder / "outcomes.parquet")
    done = pointsman(folder, "route", "--file", "outcomes.parquet", "--json")
    assert [json.loads(line)["tier"] for line in done.stdout.splitlines()] == ["cheap", "strong"]


@pytest.mark.parametrize(
    ("arguments", "content", "words"),
    [
        ((), None, "either a prompt or --file"),
        (("hello", "--file", "in.jsonl"), b"{}", "not both"),
        (("--file", "missing.jsonl"), None, "no such file"),
        (("--file", "in.jsonl"), b"not json", "in.jsonl:1: expected one JSON object a line"),
        (("--file", "in.jsonl"), b'{"prompt": "a"}\n[1]', "in.jsonl:2: expected a JSON object, found list"),
        (("--file", "in.jsonl"), b'{"question": "a"}', "row 1: expected a `prompt`, `messages` or `input`"),
        (("--file", "in.jsonl"), b'{"messages": [1]}', "row 1"),
        (("--file", "in.jsonl"), b"\xff\xfe", "expected one JSON object"),
        (("--file", "in.parquet"), b"not parquet", "not a readable Parquet file"),
        (("hello", "--policy", "nope"), None, "expected one of: auto"),
        (("hello", "--rules", "missing.yaml"), None, "missing.yaml"),
        (("hello", "--rules", "in.yaml"), b"- {name: x, when: {max_promt_tokens: 1}, use: cheap}", "did you mean"),
        (("hello", "--rules", "in.yaml"), b"- {name: x, when: {}, use: middle}", "no tier or model"),
        (("hello", "--config", "in.yaml"), b"models: 3", "in.yaml:1"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_2(
    folder: Path, arguments: tuple[str, ...], content: bytes | None, words: str
) -> None:
    if content is not None:
        name = next(word for word in arguments if word.startswith("in."))
        (folder / name).write_bytes(content)
    done = pointsman(folder, "route", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_an_empty_file_is_said_to_be_empty(folder: Path) -> None:
    (folder / "in.jsonl").write_text("\n")
    done = pointsman(folder, "route", "--file", "in.jsonl")
    assert (done.returncode, "no requests" in done.stdout) == (0, True)


def test_wrong_usage_is_exit_code_2(folder: Path) -> None:
    assert pointsman(folder, "route", "--no-such-option").returncode == 2
    assert pointsman(folder, "no-such-command").returncode == 2


def test_a_reader_that_leaves_early_brings_no_traceback(folder: Path) -> None:
    rows = "\n".join(json.dumps({"prompt": f"Hello {n}"}) for n in range(2_000))
    (folder / "in.jsonl").write_text(rows)
    command = f"{sys.executable} -m pointsman route --file in.jsonl --json | /usr/bin/head -n 1"
    done = subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["model"] == "small"
    assert done.stderr == ""
