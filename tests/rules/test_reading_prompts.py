"""What rules read from prompts without machine learning: task kind, language, structure, requested length."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.rules import load_builtin, recognise
from pointsman.rules.language import LANGUAGES, SCRIPTS, guess, script_of
from pointsman.rules.output_length import asked_tokens
from pointsman.rules.structure import digits_share, has_code, has_formula, words_of
from pointsman.vocabulary import Dialect, Request, Role, TaskKind, Turn


def ask(prompt: str, system: str = "") -> Request:
    turns = (*([Turn(Role.SYSTEM, system)] if system else []), Turn(Role.USER, prompt))
    return Request(
        dialect=Dialect.OPENAI_CHAT, endpoint="/v1/chat/completions", model="auto", raw=b"{}", body={}, turns=turns,
        n_prompt_tokens=len(prompt) // 4, n_total_tokens=len(prompt) // 4,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        ("Summarise the text below in two lines: the harbour was closed on Monday.", TaskKind.SUMMARISATION),
        ("Bitte eine Zusammenfassung: Der Hafen blieb am Montag geschlossen.", TaskKind.SUMMARISATION),
        ("Riassumi il testo: il porto è rimasto chiuso lunedì.", TaskKind.SUMMARISATION),
        ("请总结下面的文字：港口周一关闭。", TaskKind.SUMMARISATION),
        ("Translate into Danish: good evening", TaskKind.TRANSLATION),
        ("Traduce al inglés: buenas tardes", TaskKind.TRANSLATION),
        ("Traduza para inglês: boa tarde", TaskKind.TRANSLATION),
        ("Fordítsd angolra: jó estét", TaskKind.TRANSLATION),
        ("Klassificér beskeden som ros eller klage: Tak for hjælpen!", TaskKind.CLASSIFICATION),
        ("Classificeer deze mail: spam of geen spam", TaskKind.CLASSIFICATION),
        ("Decide whether the text is toxic (1) or not (0).\n\nwhat a lovely day", TaskKind.CLASSIFICATION),
        ("Extrais du texte le nom et la date : Lou Martin, 3 mai", TaskKind.EXTRACTION),
        ("Rephrase this so that it sounds less harsh: no.", TaskKind.REWRITING),
        ("Formuliere höflicher: Nein.", TaskKind.REWRITING),
        ("Write a function in Rust that reverses a string", TaskKind.CODE),
        ("What does this print?\n```\nprint(1)\n```", TaskKind.CODE),
        ("What is the smallest positive integer with $x^2 > 50$?", TaskKind.MATHS),
        ("Lea has 12 apples and gives 5 away. How many are left?", TaskKind.MATHS),
        ("Wie viel ist 17 * 23?", TaskKind.MATHS),
        ("Who owns the fish?\nClues:\n1. The red house is left of the blue one.", TaskKind.REASONING),
        ("Which gas do plants take up?\nA. oxygen\nB. carbon dioxide\nC. argon\nAnswer:", TaskKind.REASONING),
        ("What is 3 * 4 + 2?\nA. 10\nB. 14\nC. 20", TaskKind.MATHS),
        ("When do you open?", TaskKind.SHORT_QUESTION),
        ("lost my card what do i do", TaskKind.SHORT_QUESTION),
        ("ok", TaskKind.OTHER),
        ("", TaskKind.OTHER),
        ("The harbour was quiet that day. " * 200, TaskKind.LONG_DOCUMENT),
        ("Summarise this. " + "The harbour was quiet that day. " * 200, TaskKind.SUMMARISATION),
    ],
)
def test_task_kinds(prompt: str, kind: TaskKind) -> None:
    assert recognise(ask(prompt)) is kind


def test_a_system_prompt_that_names_the_work_decides_when_the_message_does_not() -> None:
    assert recognise(ask("I hate waiting.", "Classify the sentiment of each message.")) is TaskKind.CLASSIFICATION


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How can I change the address of my order?", "en"),
        ("Wie kann ich die Adresse meiner Bestellung ändern?", "de"),
        ("¿Cómo puedo cambiar la dirección de mi pedido?", "es"),
        ("Comment est-ce que je peux changer l'adresse de ma commande ?", "fr"),
        ("Come posso cambiare l'indirizzo del mio ordine? Non è più questo.", "it"),
        ("Como posso mudar o endereço da minha encomenda? Não é mais este.", "pt"),
        ("Hoe kan ik het adres van mijn bestelling wijzigen?", "nl"),
        ("Hvordan kan jeg ændre adressen på min ordre, som ikke er sendt?", "da"),
        ("Hogyan lehet megváltoztatni a rendelés címét, és kell-e ezért fizetni?", "hu"),
        ("如何修改订单地址？", "zh"),
        ("注文の住所を変更できますか", "ja"),
        ("주문 주소를 어떻게 변경하나요", "ko"),
        ("Как изменить адрес заказа?", "ru"),
        ("Як змінити адресу замовлення? Її вже немає", "uk"),
        ("كيف أغير عنوان الطلب؟", "ar"),
        ("Πώς αλλάζω τη διεύθυνση;", "el"),
        ("42 + 17", None),
        ("", None),
        ("Zanzibar Kilimanjaro Ouagadougou", None),
    ],
)
def test_languages(text: str, language: str | None) -> None:
    assert guess(text, words_of(text), script_of(text)) == language


@given(st.text(max_size=500))
def test_any_text_has_a_known_language_and_script_or_none(text: str) -> None:
    script = script_of(text)
    assert script is None or script in SCRIPTS
    language = guess(text, words_of(text), script)
    assert language is None or language in LANGUAGES
    assert 0.0 <= digits_share(text) <= 1.0


@pytest.mark.parametrize(
    "text",
    [
        "```\nx\n```", "def f(a):\n    return a", "import os\nimport sys", "SELECT id FROM users WHERE id = 3",
        "for (;;) {\n  go();\n}", "what does os.path.join(a, b) do", ">>> x = 1\n>>> x",
    ],
)  # fmt: skip
def test_code_is_seen(text: str) -> None:
    assert has_code(text)


@pytest.mark.parametrize(
    "text",
    ["Let us meet (at ten).", "From Monday on; then rest.", "Select a class, please.", "It costs 3.50 (or so).", ""],
)
def test_prose_is_not_code(text: str) -> None:
    assert not has_code(text)


@pytest.mark.parametrize(
    "text", ["x^2 = 4", r"\frac{1}{2}", "347 * 28", "3x + 7 = 25", "18 % of 245", "√2", "$a_1 < b$"]
)
def test_formulas_are_seen(text: str) -> None:
    assert has_formula(text)


@pytest.mark.parametrize(
    "text", ["12/03/2026", "from 9-17 h", "costs $5 or $7", "and/or", "3.50 EUR", "C:\\Users\\me", ""]
)
def test_dates_prices_and_ranges_are_no_formulas(text: str) -> None:
    assert not has_formula(text)


@pytest.mark.parametrize(
    ("text", "n_tokens"),
    [
        ("Write a 500-word essay", 667),
        ("in 300 words", 400),
        ("at least 3 pages", 2000),
        ("two paragraphs", 320),
        ("max. 1,500 words please", 2000),
        ("höchstens 90 Wörter", 120),
        ("写一篇800字的文章", 800),
        ("in one sentence", 27),
        ("between 100 and 200 words", 267),
        ("words fail me", None),
        ("", None),
        ("999999 pages", 1_000_000),
    ],
)
def test_requested_lengths(text: str, n_tokens: int | None) -> None:
    assert asked_tokens(text, words_of(text)) == n_tokens


def test_time_does_not_grow_beyond_the_bounds() -> None:
    rules = load_builtin()
    for unit in ("a(", "1 - ", "((((", "\\", "$ ", "^", "= ", "word 12 ", "字", "\n", ". ", "İ", "\ud800"):
        request = ask(unit * (5_000_000 // len(unit)))
        started = time.process_time()
        rules.evaluate(request)
        assert time.process_time() - started < 1.0, unit


def test_an_answer_asked_for_in_a_box_does_not_make_a_question_of_geography_maths() -> None:
    question = (
        "Read the multiple-choice question and give the most likely answer.\nWhich river flows through Lisbon?\n"
        "A. Douro\nB. Tagus\nC. Ebro\nGive the letter in \\boxed{X}, where X is the correct letter."
    )
    sum_ = "Find all integers x with \\frac{x}{2} > 3 and x < 10. Put the answer in \\boxed{}."
    assert recognise(ask(question)) is TaskKind.REASONING
    assert recognise(ask(sum_)) is TaskKind.MATHS


@given(st.text(st.characters(max_codepoint=127)))
def test_digits_of_ascii_text_are_counted_as_those_of_any_other(text: str) -> None:
    # The sign is visible and no digit: it sends the same text the other way.
    n_visible = sum(map(len, text.split()))
    assert digits_share(f"{text}€") * (n_visible + 1) == pytest.approx(digits_share(text) * n_visible)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\u201cDon\u2019t\u201d, she-wolf \u2014 C# a_b", ["don't", "she-wolf", "c#", "a", "b"]),
        (
            "\u00bfQu\u00e9 d\u00eda?\u00a0\u6211\u60f3\uff0c\u9000\u6b3e\u3002",
            ["qu\u00e9", "d\u00eda", "\u6211\u60f3", "\u9000\u6b3e"],
        ),
        ("a\ud800b\x0bc", ["a\ud800b", "c"]),
    ],
)
def test_words_end_at_signs_of_any_script(text: str, words: list[str]) -> None:
    assert words_of(text) == words
