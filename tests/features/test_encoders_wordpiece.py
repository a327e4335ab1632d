"""WordPiece: by hand, then against Hugging Face `tokenizers` as the reference."""

from __future__ import annotations

import json
import random
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from pointsman.features.encoders import wordpiece
from pointsman.features.encoders.static import BUILTIN_FOLDER
from pointsman.features.encoders.wordpiece import MAX_WORD_CHARS, WordPiece

TOKENIZER_PATH = BUILTIN_FOLDER / "tokenizer.json"

MULTILINGUAL = [
    "The quick brown fox jumps over the lazy dog.",
    "Héllo Wörld! Ça va? Größe, naïve café, ÅNGSTRÖM, İstanbul, ΟΔΥΣΣΕΥΣ",
    "Проведите анализ этого текста и объясните, почему.",
    "请把这段话翻译成英文:今天天气很好。",
    "日本語のテキストを要約してください。カタカナとひらがな。",
    "한국어 문장을 번역해 주세요.",
    "اكتب ملخصًا لهذا النص، من فضلك.",
    "कृपया इस पाठ का सारांश लिखें।",
    "กรุณาสรุปข้อความนี้",
    "Tính tổng của dãy số nguyên tố nhỏ hơn 100.",
    "Γράψε μια συνάρτηση που ταξινομεί λίστα.",
    "def f(x: int) -> int:\n\treturn x**2 + 3*x - 1  # ±∞ ≤ ≥ ≠ ∑∫√",
    "emoji 😀👩‍👩‍👧 flags 🇫🇷 zero\u200bwidth soft\u00adhyphen bom\ufeff nbsp\u00a0here",
    "“curly” ‘quotes’ — dash… ellipsis §5 ¶ €20 £3 ¥7 ½ ²³ №7 ™ ﬁ ﬂ",
    "http://example.com/a?b=c&d=%20#frag user@example.com 1,234,567.89 0x7fFF",
    "tabs\tand\x0bvertical\x0cfeeds\x85next\u2028line\u2029paragraph\x00null\ufffdreplacement",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝒎𝒂𝒕𝒉 Ａｂｃ full-width １２３ \U00020000 \U0002f800 \u3164",
    "supercalifragilisticexpialidocious antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis",
]


@pytest.fixture(scope="module")
def reference() -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(TOKENIZER_PATH))
    tokenizer.encode_special_tokens = True  # "[UNK]" in a text is text, as it is here
    return tokenizer


@pytest.fixture(scope="module")
def ours() -> WordPiece:
    tokenizer = json.loads(TOKENIZER_PATH.read_bytes())
    special = frozenset(added["content"] for added in tokenizer["added_tokens"])
    return WordPiece(tokenizer["model"]["vocab"], special=special)


def expected_ids(reference: Tokenizer, text: str) -> list[int]:
    unknown = reference.token_to_id("[UNK]")
    return [id_ for id_ in reference.encode(text, add_special_tokens=False).ids if id_ != unknown]


def test_a_word_is_cut_into_the_longest_pieces_from_the_left() -> None:
    pieces = WordPiece({"un": 0, "##aff": 1, "##able": 2, "##a": 3, "una": 4, "##ffable": 5, "!": 6})
    assert pieces.ids("unaffable!").tolist() == [4, 5, 6]
    assert pieces.ids("UNA una").tolist() == [4, 4]


def test_a_word_with_a_part_in_no_piece_leaves_nothing() -> None:
    pieces = WordPiece({"un": 0, "##aff": 1, "able": 2})
    assert pieces.ids("unaffable able").tolist() == [2]


def test_signs_stand_alone_and_accents_and_control_characters_go() -> None:
    pieces = WordPiece({})
    assert pieces.words("Éa-b,\tÇ\x00d e\u0301f") == ["ea", "-", "b", ",", "cd", "ef"]
    assert pieces.words("a\x01b\x7fC $+~") == ["abc", "$", "+", "~"]
    assert pieces.words("天a气") == ["天", "a", "气"]


def test_special_pieces_do_not_match_text() -> None:
    pieces = WordPiece({"[UNK]": 0, "unk": 1, "[": 2, "]": 3}, special=frozenset({"[UNK]"}))
    assert pieces.ids("[UNK]").tolist() == [2, 1, 3]


def test_words_longer_than_the_limit_are_unknown() -> None:
    pieces = WordPiece({"a": 0, "##a": 1})
    assert len(pieces.ids("a" * MAX_WORD_CHARS)) == MAX_WORD_CHARS
    assert len(pieces.ids("a" * (MAX_WORD_CHARS + 1))) == 0


def test_an_empty_text_has_no_ids(ours: WordPiece) -> None:
    assert ours.ids("").tolist() == []
    assert ours.ids(" \n\t\x00").tolist() == []


@pytest.mark.parametrize("text", MULTILINGUAL)
def test_multilingual_texts_equal_the_reference(ours: WordPiece, reference: Tokenizer, text: str) -> None:
    assert ours.ids(text).tolist() == expected_ids(reference, text)


def test_every_word_of_the_vocabulary_is_found_again(ours: WordPiece, reference: Tokenizer) -> None:
    words = [piece for piece in reference.get_vocab() if not piece.startswith(("##", "["))]
    text = " ".join(sorted(words))
    assert ours.ids(text).tolist() == expected_ids(reference, text)


def test_every_ascii_word_of_the_vocabulary_is_found_again(ours: WordPiece, reference: Tokenizer) -> None:
    words = sorted(piece for piece in reference.get_vocab() if piece.isascii() and not piece.startswith(("##", "[")))
    for text in (" ".join(words), ", ".join(words), " (".join(words)):
        assert ours.ids(text).tolist() == expected_ids(reference, text)


@pytest.mark.parametrize("text", ["wait... what?", "...", "so ..., then", "a....b", "'...'", "e.g., i.e.. x..."])
def test_dots_are_signs_one_by_one(ours: WordPiece, reference: Tokenizer, text: str) -> None:
    assert ours.ids(text).tolist() == expected_ids(reference, text)


def test_every_assigned_character_is_cleaned_like_the_reference(ours: WordPiece, reference: Tokenizer) -> None:
    differing: list[int] = []
    for code in range(0x110000):
        category = unicodedata.category(chr(code))
        if category in ("Cn", "Cs", "Co"):
            continue
        text = f"a{chr(code)}b"
        pieces = [
            word for word, _ in reference.pre_tokenizer.pre_tokenize_str(reference.normalizer.normalize_str(text))
        ]
        if ours.words(text) != pieces:
            differing.append(code)
    newer = [code for code in differing if unicodedata.ucd_3_2_0.category(chr(code)) == "Cn"]
    # What differs was assigned, or changed its category, long after the reference's tables (Unicode 8, 2015).
    assert len(differing) - len(newer) <= 8
    assert len(differing) <= 2000


# Characters of Unicode 3.2 (2002): both sides have known them for long.
OLD_CHARACTERS = st.characters(exclude_categories=["Cs", "Co", "Cn"]).filter(
    lambda c: unicodedata.ucd_3_2_0.category(c) not in ("Cn", "Mc") and unicodedata.category(c) != "Mc"
)


@settings(max_examples=300, deadline=None)
@given(st.text(OLD_CHARACTERS, max_size=120))
def test_any_text_of_long_known_characters_equals_the_reference(text: str) -> None:
    tokenizer = _REFERENCE
    assert _OURS.ids(text).tolist() == expected_ids(tokenizer, text)


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(max_codepoint=127), max_size=200))
def test_any_ascii_text_equals_the_reference(text: str) -> None:
    assert _OURS.ids(text).tolist() == expected_ids(_REFERENCE, text)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_text_at_all_is_taken(text: str) -> None:
    assert all(0 <= id_ < len(_VOCABULARY) for id_ in _OURS.ids(text).tolist())


def test_lone_surrogates_are_taken(ours: WordPiece) -> None:
    assert ours.ids("a \ud800 b").tolist() == ours.ids("a b").tolist()


def test_results_stay_the_same_when_the_memory_overflows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wordpiece, "MAX_CACHED_CHUNKS", 7)
    monkeypatch.setattr(wordpiece, "MAX_CACHED_CHARACTERS", 5)
    small, chance = WordPiece(_VOCABULARY), random.Random(4)
    words = ["tokenisation", "naïveté", "größer", "hello", "mädchen", "unbelievable", "été", "zebra", "q", "прывет"]
    text = " ".join(chance.choices(words, k=400))
    assert small.ids(text).tolist() == _OURS.ids(text).tolist()
    assert small.ids(text).tolist() == _OURS.ids(text).tolist()


_REFERENCE = Tokenizer.from_file(str(TOKENIZER_PATH))
_REFERENCE.encode_special_tokens = True
_VOCABULARY: dict[str, int] = json.loads(TOKENIZER_PATH.read_bytes())["model"]["vocab"]
_OURS = WordPiece(_VOCABULARY, special=frozenset({"[UNK]", "[PAD]"}))
