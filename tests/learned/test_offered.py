"""Functions offered within a text: numbers by hand, and texts that are cut or only look like it."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.learned import QUESTION_NAMES, question_shape
from pointsman.learned.offered import MAX_FUNCTIONS, OFFERED_NAMES, offered
from pointsman.word_hashes import plain_text

AREA = {
    "name": "triangle_area",
    "description": "Calculates the area of a triangle.",
    "parameters": {
        "type": "object",
        "properties": {
            "base": {"type": "number", "description": "Its base in metres."},
            "height": {"type": "number", "description": "Its height in metres."},
            "unit": {"type": "string", "enum": ["m2", "cm2"], "description": "Of the area."},
        },
        "required": ["base", "height"],
    },
}
SONG = {
    "name": "playSong",
    "description": "Starts music of one artist.",
    "parameters": {"type": "object", "properties": {"artist": {"type": "string"}}, "required": []},
}
QUESTION = "What is the area of a triangle with base 6 and height 10?"


def text(*functions: dict[str, Any], question: str = QUESTION) -> str:
    return f"{question}\n\n{json.dumps(functions)}"


def shape(of: str) -> dict[str, float]:
    return dict(zip(QUESTION_NAMES, question_shape(of).tolist(), strict=True))


def test_numbers_by_hand() -> None:
    found = shape(text(AREA, SONG))
    assert found["functions"] == pytest.approx(math.log(3))
    # base, height and unit, and artist.
    assert found["parameters a function"] == pytest.approx(math.log(1 + 4 / 2))
    assert found["required a function"] == pytest.approx(math.log(1 + 2 / 2))
    assert found["numeric parameters"] == pytest.approx(2 / 4)
    assert found["choices and defaults a function"] == pytest.approx(math.log(1 + 1 / 2))
    assert found["nested parameters a function"] == 0
    # "triangle" and "area" are asked for, "play" and "song" are not.
    assert found["most name words asked for"] == 1
    assert found["name words asked for"] == pytest.approx(1 / 2)
    # Of calc, area and tria two; of play, song, star, musi and arti none ("one" and "of" are too short).
    assert found["most described words asked for"] == pytest.approx(2 / 3)
    assert found["described words asked for"] == pytest.approx(1 / 3)
    assert found["functions asked for"] == pytest.approx(math.log(2))
    # what, area, tria, with, base and heig are asked.
    assert found["asked words described"] == pytest.approx(2 / 6)
    assert found["ands asked"] == pytest.approx(math.log(2))
    assert found["values asked"] == pytest.approx(math.log(1 + 2))
    assert found["values asked over required"] == pytest.approx(math.log(3) - math.log(3))


def test_the_stem_is_what_is_asked_whatever_is_offered() -> None:
    few, many = shape(text(AREA)), shape(text(AREA, SONG, AREA))
    assert [name for name in few if few[name] != many[name] and name not in OFFERED_NAMES] == []
    assert few["stem words"] == pytest.approx(math.log(1 + 13))


def test_a_text_whose_words_are_known_has_the_same_shape() -> None:
    of = text(AREA, SONG)
    assert question_shape(of, plain_text(of)).tobytes() == question_shape(of).tobytes()


@pytest.mark.parametrize(
    "functions",
    [
        [{"type": "function", "function": AREA}, {"type": "function", "function": SONG}],
        [{"name": each["name"], "input_schema": each["parameters"]} for each in (AREA, SONG)],
    ],
)
def test_definitions_of_both_providers_are_read(functions: list[dict[str, Any]]) -> None:
    for rendered in (json.dumps(functions), json.dumps(functions, indent=2)):
        found = offered(f"You may call these: {rendered}\nThe question: {QUESTION}")
        assert found is not None
        assert found.names == ["triangle_area", "playSong"]
        assert found.asked.split() == f"You may call these: The question: {QUESTION}".split()
        assert shape(rendered)["required a function"] == pytest.approx(math.log(2))


@pytest.mark.parametrize(
    "of", ["", QUESTION, 'A form has "parameters": 3.', '{"name": "Ada", "age": 36}', '"input_schema" "name": 3']
)
def test_what_defines_no_function_offers_none(of: str) -> None:
    assert offered(of) is None
    assert all(shape(of)[name] == 0 for name in OFFERED_NAMES)


def test_a_list_that_is_cut_offers_what_is_left_of_it() -> None:
    whole = text(AREA, SONG)
    for length in range(len(whole)):
        found = offered(whole[:length])
        assert found is None or found.names in (["triangle_area"], ["triangle_area", "playSong"])
        assert np.isfinite(question_shape(whole[:length])).all()


def test_of_very_many_functions_the_first_are_read() -> None:
    found = offered(text(*[AREA] * (2 * MAX_FUNCTIONS)))
    assert found is not None
    assert len(found.names) == MAX_FUNCTIONS


@given(st.text(alphabet='[]{}":, \n"namerquisdtypo1A', max_size=300))
def test_any_text_between_marks_gives_finite_numbers(of: str) -> None:
    assert np.isfinite(question_shape(f'{of}"name": "{of}", "parameters": {of}')).all()
