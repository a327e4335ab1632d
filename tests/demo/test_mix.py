"""The bundled mix: sound requests in three dialects, varied, and as many as the documentation says."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter

import pytest

from pointsman.demo.mix import KINDS, MixItem, load_mix, parse_mix
from pointsman.errors import ConfigError
from pointsman.rules import load_builtin, recognise
from pointsman.vocabulary import Dialect, TaskKind
from pointsman.wire import read_request

MIX = load_mix()

AT_LEAST = {
    "faq": 40, "classification": 28, "extraction": 28, "summarisation": 18, "translation": 18, "rewriting": 18,
    "code": 25, "maths": 15, "reasoning": 15, "tool_use": 15, "multi_turn": 10,
}  # fmt: skip

GOOD = {
    "id": "a", "kind": "faq", "dialect": "openai-chat", "input": {"messages": []}, "ideal_tier": "cheap",
    "ideal_output": "x", "tags": [],
}  # fmt: skip


def test_there_are_240_items_or_more_and_every_kind_has_its_share() -> None:
    assert len(MIX) >= 240
    counts = Counter(item.kind for item in MIX)
    assert set(counts) == set(KINDS)
    for kind, n in AT_LEAST.items():
        assert counts[kind] >= n, kind


def test_the_share_of_easy_requests_is_that_of_everyday_traffic() -> None:
    share = sum(item.ideal_tier == "cheap" for item in MIX) / len(MIX)
    assert 0.70 <= share <= 0.80


def test_every_dialect_is_there() -> None:
    counts = Counter(item.dialect for item in MIX)
    assert all(counts[dialect] >= 15 for dialect in Dialect)


@pytest.mark.parametrize("item", MIX, ids=lambda item: item.id)
def test_each_body_is_a_request_of_its_dialect(item: MixItem) -> None:
    request = read_request(item.dialect, item.body("auto"))
    assert request.model == "auto"
    assert request.last_user_text or request.tools_in_use
    assert request.n_total_tokens > 0


def test_no_two_items_are_near_duplicates() -> None:
    words = {
        item.id: frozenset(re.findall(r"\w+", json.dumps(asked(item), ensure_ascii=False).lower())) for item in MIX
    }
    for (one, a), (other, b) in itertools.combinations(words.items(), 2):
        assert len(a & b) < 0.7 * len(a | b), (one, other)


def asked(item: MixItem) -> list[str]:
    """What is said in the item; system prompts are shared between the customers of one shop and left out."""
    turns = read_request(item.dialect, item.body("auto")).turns
    return [turn.text for turn in turns if turn.role != "system"]


KIND_OF = {
    "faq": TaskKind.SHORT_QUESTION, "classification": TaskKind.CLASSIFICATION, "extraction": TaskKind.EXTRACTION,
    "summarisation": TaskKind.SUMMARISATION, "translation": TaskKind.TRANSLATION, "rewriting": TaskKind.REWRITING,
    "code": TaskKind.CODE, "maths": TaskKind.MATHS, "reasoning": TaskKind.REASONING,
}  # fmt: skip


def test_the_rules_recognise_nine_of_ten_task_kinds() -> None:
    known = [item for item in MIX if item.kind in KIND_OF]
    right = sum(recognise(read_request(item.dialect, item.body("auto"))) is KIND_OF[item.kind] for item in known)
    assert right / len(known) >= 0.9


def test_the_builtin_rules_rarely_contradict_the_ideal_tier() -> None:
    rules = load_builtin()
    decided = wrong = 0
    for item in MIX:
        enforced = rules.evaluate(read_request(item.dialect, item.body("auto"))).enforced
        if enforced is not None:
            decided += 1
            wrong += enforced.use != item.ideal_tier
    assert decided >= 0.3 * len(MIX)
    assert wrong <= 0.05 * decided


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "chat"}, "expected a kind"),
        ({"ideal_tier": "medium"}, "expected an ideal_tier"),
        ({"dialect": "smoke-signals"}, "smoke-signals"),
        ({"input": {"model": "gpt"}}, "without model"),
        ({"ideal_output": " "}, "expected a text as ideal_output"),
        ({"tags": "x"}, "a list of texts"),
        ({"extra": 1}, "expected an object with"),
    ],
)
def test_an_item_that_is_wrong_is_refused_with_its_line(change: dict[str, object], said: str) -> None:
    text = json.dumps(GOOD) + "\n\n" + json.dumps({**GOOD, "id": "b", **change})
    with pytest.raises(ConfigError, match="line 3") as raised:
        parse_mix(text)
    assert said in raised.value.message


def test_an_id_can_be_used_once() -> None:
    with pytest.raises(ConfigError, match='"a" is taken'):
        parse_mix(json.dumps(GOOD) + "\n" + json.dumps(GOOD))


def test_a_line_that_is_no_json_is_refused() -> None:
    with pytest.raises(ConfigError, match="line 1"):
        parse_mix("{")
