"""The protocol with a scorer in another process: a small program stands in for LiteLLM."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from benchmarks.offline_scorer import ScorerError, offline_scores

GOOD = """
import json, sys
print(json.dumps({"scorer": "fake 1", "names": ["length", "zero"]}))
for line in sys.stdin:
    print(json.dumps({"need": [len(json.loads(line)["prompt"]), 0]}))
"""


def command(tmp_path: Path, program: str) -> list[str]:
    path = tmp_path / "scorer.py"
    path.write_text(program)
    return [sys.executable, str(path)]


def test_scores_come_back_by_name_and_in_the_order_of_the_prompts(tmp_path: Path) -> None:
    found = offline_scores(command(tmp_path, GOOD), ["ab", "", "a\nb\u2028ü", "abcd"])
    assert found.scorer == "fake 1"
    assert found.need["length"].tolist() == [2, 0, 5, 4]
    assert found.need["zero"].tolist() == [0, 0, 0, 0]


def test_no_prompts_no_scores(tmp_path: Path) -> None:
    assert offline_scores(command(tmp_path, GOOD), []).need["length"].tolist() == []


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("import sys; sys.exit('no such module')", "exited with 1: no such module"),
        ("print('hello')", "expected the scorer's name"),
        ('print(\'{"scorer": "x", "names": ["a"]}\')', "expected 1 lines of scores, got 0"),
        ('print(\'{"scorer": "x", "names": ["a"]}\\n{"need": [1, 2]}\')', "expected 1 scores a line"),
        ('print(\'{"scorer": "x", "names": ["a"]}\\n{"need": [NaN]}\')', "expected finite scores"),
        ('print(\'{"scorer": "x", "names": ["a"]}\\n{"need": [null]}\')', "expected the scorer's name"),
    ],
)
def test_a_program_that_does_not_keep_to_it_is_refused(tmp_path: Path, program: str, told: str) -> None:
    with pytest.raises(ScorerError, match=told):
        offline_scores(command(tmp_path, program), ["a prompt"])


def test_a_missing_environment_names_the_target_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(ScorerError, match="make bench-litellm-env"):
        offline_scores([str(tmp_path / "python")], ["a prompt"])
