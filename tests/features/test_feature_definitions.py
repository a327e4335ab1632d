"""The list of features: complete, worded, versioned, and every one of use."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import numpy as np
import pytest

from pointsman.features import FEATURE_VERSION, FEATURES, cues, extract, reference
from pointsman.features.definitions import CUE
from pointsman.vocabulary import Dialect, Request, Role, Turn

_NAMES = "e640b7c1312c352edb9ac768a06d4b070ec6f86b28958defd725f7c989a29d8c"
_PINNED = {1: _NAMES, 2: _NAMES}
"""What each version consists of. A change of a name, of the order or of a data file needs a new version, because
artifacts trained on the old one would read wrong numbers."""

_VALUES = "444dc389ef454c44f7f71b204ba19fedb380753fd35dc68f834bf9523d82855a"
_PINNED_VALUES = {1: _VALUES, 2: _VALUES}
"""What the corpus below measures under each version, for the same reason. Version 2 reads less of a long text, and
none here is long."""


def digest() -> str:
    found = hashlib.sha256("\n".join(feature.name for feature in FEATURES).encode())
    table = cues.load()
    for word, fields in sorted(table.words.items()):
        found.update(f"{word} {fields:x}\n".encode())
    for phrase, fields in sorted(entry for entries in table.phrases.values() for entry in entries):
        found.update(f"{phrase} {fields:x}\n".encode())
    for cue, fields in sorted(table.unspaced):
        found.update(f"{cue} {fields:x}\n".encode())
    return found.hexdigest()


def test_a_change_of_the_features_raises_the_version() -> None:
    assert digest() == _PINNED[FEATURE_VERSION]


def test_names_are_unique_words() -> None:
    names = [feature.name for feature in FEATURES]
    assert len(set(names)) == len(names) >= 40
    assert all(name.isidentifier() and name == name.lower() for name in names)


def test_every_feature_is_worded() -> None:
    for feature in FEATURES:
        assert feature.meaning
        assert feature.phrase
        assert feature.absent
        assert feature.phrase != feature.absent
        assert feature.low < feature.high
        assert feature.group


def test_phrases_tell_features_apart() -> None:
    for wording in ([f.phrase for f in FEATURES], [f.absent for f in FEATURES]):
        assert sorted({text for text in wording if wording.count(text) > 1}) == []


def test_the_sections_of_cues_are_the_cue_features_in_order() -> None:
    assert cues.load().sections == tuple(feature.name for feature in CUE)


def test_rank_bands_rise() -> None:
    assert all(before < after for (_, before), (_, after) in pairwise(cues.RANK_BANDS))


@pytest.mark.parametrize(("value", "words"), [(0.2, "asks for no proof"), (0.8, "asks for a proof")])
def test_a_feature_words_its_value_against_the_usual(value: float, words: str) -> None:
    prove = next(feature for feature in FEATURES if feature.name == "prove")
    assert prove.words(value, 0.5) == words


def test_the_page_has_every_feature_once() -> None:
    page = reference.markdown()
    for feature in FEATURES:
        assert page.count(f"| `{feature.name}` |") == 1
    assert f"Version {FEATURE_VERSION}, {len(FEATURES)} features." in page


def asking(*turns: Turn, **fields: object) -> Request:
    base: dict[str, object] = {"dialect": Dialect.OPENAI_CHAT, "endpoint": "/v1/chat/completions", "model": "auto"}
    return Request(**{**base, "raw": b"", "body": {}, "turns": turns, **fields})  # type: ignore[arg-type]


def user(text: str) -> Request:
    return asking(Turn(Role.USER, text))


CORPUS = (
    user("Hi! Could you please summarise this article briefly, in 50 words? Thanks"),
    user("Translate into German and explain the meaning of each word: the quick brown fox"),
    user("Classify the sentiment as positive or negative:\n> I have never been so disappointed :("),
    user("Extract the entities as a JSON object {\"name\": \"...\"}; fields: {{name}}\n\n| a | b |"),
    user("Rewrite and compose a detailed formal letter in two paragraphs, act as a lawyer"),
    user("# Task\n- list three ideas\n- give examples\n1. first\n\nA. yes\nB. no\nWhich of the following is correct?"),
    user("Prove, step by step, that $\\sqrt{2}$ is irrational; α ≤ β, 3 = 1 + 2, 50% of 120 km. Why?"),
    user("If she buys twice as many apples each day, how many dollars are left in total? Calculate x, y and z."),
    user("Compare the best pros and cons, then plan the migration of our server architecture. Must not exceed 5."),
    user("```python\ndef f(x):\n    return x_1()\n```\nTraceback: ValueError; see https://example.com/\x07"),
    user("The plaintiff sued the company over a contract; the patient had a fever; prices rose in the market."),
    user("The force on an electron, the acid reaction, the gene of a cell, a war of the king, moral philosophy"),
    user("Is the integer prime"),
    user("What is it"),
    user("It is:"),
    user("Implement an algorithm"),
    user("Pourquoi l'été est-il chaud ? Le chat est dans une boîte avec nous."),
    user("Докажи теорему"),
    user("لماذا السماء زرقاء"),
    user("请总结：天空为什么是蓝色的？🚂"),
    user("zyzzyva leopard undertaking perambulate"),
    asking(
        Turn(Role.SYSTEM, "You are a train dispatcher."),
        Turn(Role.USER, "Find it."),
        Turn(Role.ASSISTANT, "Shall I?", tool_calls=("search",)),
        Turn(Role.USER, "yes, do it"),
        tools=("search",),
        forces_tool=True,
        json_output=True,
        json_schema=True,
        max_output_tokens=100,
        n_images=1,
    ),
)  # fmt: skip


def values() -> str:
    """The corpus' values to three decimals: further ones may differ between processors' logarithms."""
    rows = np.stack([extract(request) for request in CORPUS]).astype(np.float64)
    return hashlib.sha256(np.rint(rows * 1000).astype("<i4").tobytes()).hexdigest()


def test_a_change_of_the_values_raises_the_version() -> None:
    assert values() == _PINNED_VALUES[FEATURE_VERSION]


def test_no_feature_is_constant() -> None:
    rows = np.stack([extract(request) for request in CORPUS])
    constant = [feature.name for feature, spread in zip(FEATURES, np.ptp(rows, axis=0), strict=True) if spread == 0]
    assert constant == []
