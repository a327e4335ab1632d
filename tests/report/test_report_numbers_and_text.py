"""Numbers as people read them, and text that cannot mislead."""

from __future__ import annotations

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pointsman.intervals import wilson
from pointsman.report.markdown import fenced, inline, paragraph
from pointsman.report.numbers import finite, percent, percent_range, points, points_range, score, usd
from pointsman.report.plain_text import excerpt, one_line, visible

NBSP = "\u00a0"


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0.625, "62"), (0.384, "38"), (0.084, "8.4"), (1.0, "100"), (0.0, "0"), (-0.12, "−12"), (0.0004, "0")],
)
def test_shares_are_shown_in_percent(share: float, shown: str) -> None:
    assert percent(share) == f"{shown}{NBSP}%"


def test_what_is_not_known_is_a_dash_and_never_zero() -> None:
    assert percent(None) == points(None) == usd(None) == score(None) == percent_range(None) == points_range(None) == "–"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, "0.5", True, [1], 10**400])
def test_what_is_no_finite_number_is_not_known(value: object) -> None:
    assert finite(value) is None


def test_intervals_show_enough_places_to_differ() -> None:
    assert percent_range((0.351, 0.412)) == f"35 to 41{NBSP}%"
    assert percent_range((0.9781, 0.9812)) == f"97.8 to 98.1{NBSP}%"


def test_differences_have_their_sign() -> None:
    assert points(-0.011) == "−1.1"
    assert points(0.004) == "+0.4"
    assert points(-0.0001) == "0.0"
    assert points_range((-0.011, 0.003)) == "−1.1 to +0.3"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1240.4, "$1,240"), (6.652, "$6.65"), (0.33, "$0.33"), (0.0125, "$0.013"), (0.00009, "$0.000090"), (0, "$0")],
)
def test_dollars_have_the_places_they_deserve(value: float, shown: str) -> None:
    assert usd(value) == shown


def test_wilson_by_hand() -> None:
    # 8 of 10: the textbook's example, 0.490 to 0.943.
    low, high = wilson(0.8, 10)
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)


@given(st.floats(0, 1), st.integers(1, 10**6))
def test_wilson_holds_the_rate(rate: float, n: int) -> None:
    low, high = wilson(rate, n)
    assert 0 <= low <= rate + 1e-12
    assert rate - 1e-12 <= high <= 1


@given(st.text())
def test_visible_text_has_no_character_without_a_form(text: str) -> None:
    for char in visible(text):
        assert char in "\n\u200c\u200d" or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn"}


def test_direction_overrides_and_stacked_marks_are_taken_out() -> None:
    assert visible("user\u202etxt.exe\u2066\x1b[31m\x00") == "usertxt.exe[31m"
    assert visible("Z" + "\u0301" * 40) == "Z" + "\u0301" * 4
    assert visible("می‌خواهم") == "می‌خواهم"


@given(st.text(), st.integers(2, 80))
def test_names_stay_on_one_line_and_fit(text: str, most: int) -> None:
    shown = one_line(text, most)
    assert len(shown) <= most
    assert "\n" not in shown


def test_a_long_prompt_says_how_much_is_left_out() -> None:
    assert excerpt("a" * 1000, 700) == "a" * 700 + " … (300 more characters)"
    assert excerpt("a\n\n\n\n\nb") == "a\n\nb"


def test_markdown_escapes_what_has_a_meaning() -> None:
    assert inline("a|b *c* <d> `e` ![f](g)") == r"a\|b \*c\* \<d\> \`e\` \!\[f\](g)"
    assert inline("80.3 % (−0.4)\n# y") == r"80.3 % (−0.4) \# y"
    assert paragraph("- x") == r"\- x"
    assert paragraph("1. x") == r"1\. x"
    assert paragraph("80.3 %") == "80.3 %"
    assert paragraph("    x") == "x"


def test_markdown_makes_no_link_of_an_address() -> None:
    assert "https://" not in inline("see https://example.org")
    assert "www." not in inline("www.example.org")


@given(st.text())
def test_escaped_text_is_one_paragraph_of_plain_text(text: str) -> None:
    tokens = MarkdownIt("commonmark").enable("table").parse(paragraph(text))
    assert [token.type for token in tokens] in ([], ["paragraph_open", "inline", "paragraph_close"])
    for token in tokens:
        assert {child.type for child in token.children or ()} <= {"text", "text_special"}


@given(st.text(alphabet="`ab\n", max_size=60))
def test_a_fence_is_longer_than_any_in_the_text(text: str) -> None:
    first = fenced(text).split("\n")[0]
    fence = first.removesuffix("text")
    assert set(fence) == {"`"}
    assert fence not in text
