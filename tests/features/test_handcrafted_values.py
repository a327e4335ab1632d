"""Hand-crafted features of small texts, worked out by hand."""

from __future__ import annotations

from math import log, log1p
from typing import Any

import numpy as np
import pytest

from pointsman.features import FEATURES, extract, extract_batch, extract_text
from pointsman.features.definitions import FEATURE_VERSION
from pointsman.vocabulary import Dialect, Request, Role, Turn

_INDEX = {feature.name: i for i, feature in enumerate(FEATURES)}
_KINDS: dict[str, Role] = {"s": Role.SYSTEM, "u": Role.USER, "a": Role.ASSISTANT, "t": Role.TOOL}


def of(text: str) -> dict[str, float]:
    return dict(zip(_INDEX, extract_text(text).tolist(), strict=True))


def request(*turns: tuple[str, str], **fields: Any) -> Request:
    return Request(
        dialect=Dialect.OPENAI_CHAT,
        endpoint="/v1/chat/completions",
        model="auto",
        raw=b"",
        body={},
        turns=tuple(Turn(_KINDS[kind], text) for kind, text in turns),
        **fields,
    )


def of_request(*turns: tuple[str, str], **fields: Any) -> dict[str, float]:
    return dict(zip(_INDEX, extract(request(*turns, **fields)).tolist(), strict=True))


def test_lengths_by_hand() -> None:
    seen = of("One two. Three?\nFour")
    assert seen["chars"] == pytest.approx(log1p(20))
    assert seen["words"] == pytest.approx(log1p(4))
    assert seen["lines"] == pytest.approx(log1p(2))
    # ". " once and two lines; the "?" ends its line.
    assert seen["sentences"] == pytest.approx(log1p(3))
    assert seen["sentence_words"] == pytest.approx(log1p(4 / 3))
    assert seen["line_chars"] == pytest.approx(log1p(10))
    assert seen["word_length"] == pytest.approx((3 + 3 + 5 + 4) / 4)
    # 1.1 per word and 0.8 per punctuation mark.
    assert seen["tokens"] == pytest.approx(log1p(1.1 * 4 + 0.8 * 2))


def test_the_empty_text_has_the_values_of_nothing() -> None:
    seen = of("")
    nonzero = {name for name, value in seen.items() if value != 0}
    assert nonzero == {"lines", "sentences", "lexical_diversity", "user_turns"}
    assert seen["lexical_diversity"] == 1


def test_lines_are_told_apart_by_how_they_begin() -> None:
    seen = of("# Title\n\n- one\n  * two\n1. first\n2) second\nA. yes\nB) no\n(c) maybe\n> quoted\n| a | b |")
    assert seen["headings"] == pytest.approx(log1p(1))
    assert seen["bullets"] == pytest.approx(log1p(2))
    assert seen["numbered"] == pytest.approx(log1p(2))
    assert seen["quoted_lines"] == pytest.approx(log1p(1))
    assert seen["table_lines"] == pytest.approx(log1p(1))
    assert seen["paragraphs"] == pytest.approx(log1p(1))
    # A., B), (c) begin lines, and "(c)" is counted in brackets too.
    assert seen["choices"] == pytest.approx(log1p(4))


def test_marks_that_make_up_structure() -> None:
    seen = of('See https://example.com and {{name}} or ___: {"a": 1, "b": 2}')
    assert seen["links"] == pytest.approx(log1p(1))
    assert seen["placeholders"] == pytest.approx(log1p(3))
    assert seen["json_pairs"] == pytest.approx(log1p(2))
    assert seen["quotation_marks"] == pytest.approx(log1p(4))


@pytest.mark.parametrize(
    ("text", "opens"),
    [
        ("What is the capital of France?", "opens_with_wh"),
        ("¿Cuál es la capital de Francia?", "opens_with_wh"),
        ("Wer hat das gesagt?", "opens_with_wh"),
        ("Is the sky blue?", "opens_yes_no"),
        ("Can metals conduct heat?", "opens_yes_no"),
        ("Can you summarise this?", "opens_imperative"),
        ("Hi, could you please help me to write a letter", "opens_imperative"),
        ("Translate to French: hello", "opens_imperative"),
        ("Übersetze ins Englische: Hallo", "opens_imperative"),
        ("The sky is blue.", None),
        ("please", None),
    ],
)
def test_the_opening(text: str, opens: str | None) -> None:
    seen = of(text)
    flags = {name: seen[name] for name in ("opens_with_wh", "opens_yes_no", "opens_imperative")}
    assert flags == {name: float(name == opens) for name in flags}


def test_the_end() -> None:
    assert of("really? \n")["ends_with_question"] == 1
    assert of("真的吗？")["ends_with_question"] == 1
    assert of("really?!")["ends_with_question"] == 0
    assert of("Answer:")["ends_with_colon"] == 1


def test_question_marks_of_every_script_count() -> None:
    assert of("a? b? 真的？ هل؟")["question_marks"] == pytest.approx(log1p(4))


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("in at most 50 words", 50),
        ("in 20 words, not 100 words", 100),
        ("en 80 palabras", 80),
        ("these words", 0),
        ("99999999999999999999 words", 100_000),
        ("٣ words", 0),
    ],
)
def test_the_length_asked_for(text: str, n: int) -> None:
    assert of(text)["asked_words"] == pytest.approx(log1p(n))


def test_characters_by_hand() -> None:
    seen = of("AB cd 12+3=15")
    assert seen["upper_share"] == pytest.approx(2 / 4)
    assert seen["digit_share"] == pytest.approx(5 / 13)
    assert seen["space_share"] == pytest.approx(2 / 13)
    assert seen["punctuation_share"] == pytest.approx(2 / 13)
    assert seen["operator_share"] == pytest.approx(2 / 13)
    assert seen["code_share"] == pytest.approx(1 / 13)
    assert seen["numbers"] == pytest.approx(log1p(3))
    assert seen["longest_number"] == 2
    assert seen["equals_signs"] == pytest.approx(log1p(1))


def test_entropy_by_hand() -> None:
    assert of("aaaa")["entropy_bits"] == 0
    assert of("abab")["entropy_bits"] == pytest.approx(1)
    assert of("abcd")["entropy_bits"] == pytest.approx(2)


def test_formulas_and_code() -> None:
    seen = of("Let $x \\leq \\frac{1}{2}$, ∑ and ≤, 5%")
    assert seen["backslashes"] == pytest.approx(log1p(2))
    assert seen["dollars"] == pytest.approx(log1p(2))
    assert seen["percents"] == pytest.approx(log1p(1))
    assert seen["maths_signs"] == pytest.approx(log1p(2))
    assert seen["latex"] == pytest.approx(log1p(2))
    seen = of("```python\ndef f():\n    return None\n```")
    assert seen["code_fences"] == pytest.approx(log1p(2))
    assert seen["calls"] == pytest.approx(log1p(1))
    assert seen["indented_share"] == pytest.approx(1 / 4)
    # def, return and none
    assert seen["code_keywords"] == pytest.approx(log1p(3))


@pytest.mark.parametrize(
    ("text", "name", "share"),
    [
        ("été", "accented_share", 2 / 3),
        ("αβ c", "greek_share", 2 / 4),
        ("да!", "cyrillic_share", 2 / 3),
        ("نعم.", "arabic_share", 3 / 4),
        ("你好ab", "cjk_share", 2 / 4),
        ("한국 a", "cjk_share", 2 / 4),
        ("a🚂", "emoji_share", 1 / 2),
        ("aé你🚂", "non_ascii_share", 3 / 4),
    ],
)
def test_scripts(text: str, name: str, share: float) -> None:
    assert of(text)[name] == pytest.approx(share)


@pytest.mark.parametrize(
    ("text", "cue"),
    [
        ("Summarise this", "summarise"),
        ("Fassen Sie zusammen: eine Zusammenfassung", "summarise"),
        ("总结这篇文章", "summarise"),
        ("Übersetze das", "translate"),
        ("Clasifica el texto", "classify"),
        ("Extract the names", "extract"),
        ("Réécris ce texte", "rewrite"),
        ("Schrijf een brief", "compose"),
        ("Calcola il totale", "compute"),
        ("Prove the theorem", "prove"),
        ("докажи теорему", "prove"),
        ("Think step by step", "stepwise"),
        ("What are the trade-offs?", "compare"),
        ("Hasonlítsd össze", "compare"),
        ("the plaintiff sued", "law"),
        ("the patient has a fever", "medicine"),
        ("at most three", "constraints"),
        ("not without reason", "negations"),
        ("don't", "negations"),
        ("answer as JSON", "output_format"),
        ("Traceback (most recent call last)", "error_reports"),
        ("5 km", "units"),
    ],
)
def test_cues_in_several_languages(text: str, cue: str) -> None:
    assert of(text)[cue] > 0
    assert of("zzz zzz")[cue] == 0


def test_a_phrase_counts_beside_its_words() -> None:
    # "step" twice as a word and "step by step" once as a phrase.
    assert of("step by step")["stepwise"] == pytest.approx(log1p(3))


def test_vocabulary_by_hand() -> None:
    # "the" is the commonest word, "leopard" ranks near 12,000, "zyzzyva" is not listed, "7" and "x" count nowhere.
    seen = of("the leopard zyzzyva 7 x")
    assert seen["common_share"] == pytest.approx(1 / 5)
    assert seen["usual_share"] == 0
    assert seen["uncommon_share"] == pytest.approx(1 / 5)
    assert seen["rare_share"] == pytest.approx(1 / 5)
    assert seen["single_letters"] == pytest.approx(1 / 5)
    assert of("a b a b")["lexical_diversity"] == pytest.approx(log(2) / log(4))


def test_english_and_other_function_words() -> None:
    assert of("the cat and the dog")["english_words"] == pytest.approx(3 / 5)
    assert of("el gato y el perro")["other_latin_words"] == pytest.approx(3 / 5)
    assert of("the cat sat")["other_latin_words"] == 0


def test_conversation_and_request() -> None:
    seen = of_request(
        ("s", "x" * 2000),
        ("u", "first question"),
        ("a", "an answer"),
        ("t", "tool"),
        ("u", "yes, do it"),
        tools=("search", "write"),
        forces_tool=True,
        json_output=True,
        json_schema=True,
        max_output_tokens=99,
        n_images=1,
    )
    assert seen["user_turns"] == pytest.approx(log1p(2))
    assert seen["system_chars"] == pytest.approx(log1p(2000))
    assert seen["history_chars"] == pytest.approx(log1p(14 + 9 + 4))
    # yes, do and it
    assert seen["follow_up"] == 1
    assert seen["tools_offered"] == pytest.approx(log1p(2))
    assert seen["images"] == pytest.approx(log1p(1))
    assert seen["max_output_tokens"] == pytest.approx(log(100))
    assert [seen[name] for name in ("tools_in_use", "forces_tool", "json_output", "json_schema")] == [1, 1, 1, 1]


def test_a_follow_up_needs_a_turn_to_follow_and_is_short() -> None:
    assert of("yes, do it")["follow_up"] == 0
    assert of_request(("u", "Write it"), ("a", "Done"), ("u", "好的，继续"))["follow_up"] == 1
    assert of_request(("u", "Write it"), ("a", "Done"), ("u", "yes " * 50))["follow_up"] == 0


def test_a_text_alone_has_the_features_of_its_request() -> None:
    text = "Compare TCP with UDP in 100 words."
    np.testing.assert_array_equal(extract_text(text), extract(request(("u", text))))


def test_a_batch_has_the_rows_of_its_requests() -> None:
    requests = [request(("u", text)) for text in ("one", "Prove that 1 + 1 = 2.", "")]
    batch = extract_batch(requests)
    assert batch.shape == (3, len(FEATURES))
    assert batch.dtype == np.float32
    np.testing.assert_array_equal(batch, [extract(one) for one in requests])
    assert extract_batch([]).shape == (0, len(FEATURES))


def test_the_version_is_a_positive_integer() -> None:
    assert FEATURE_VERSION >= 1
