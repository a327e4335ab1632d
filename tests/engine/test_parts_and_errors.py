"""What both engines share: how prompts are cut into parts, how errors travel, and what is said without Ray."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman import errors
from pointsman.engine import LOCAL
from pointsman.engine.carried import Carried
from pointsman.errors import PointsmanError, UpstreamRefused, UpstreamTimeout
from pointsman.reading import MAX_CHARS_AT_ONCE, READ_AT_ONCE, parts_of, read_inputs, router_p_good
from pointsman.router_artifact import open_router


@given(st.lists(st.integers(0, 3 * MAX_CHARS_AT_ONCE // 4), max_size=40))
def test_parts_joined_are_the_texts_and_none_is_empty_or_too_large(lengths: list[int]) -> None:
    texts = ["x" * length for length in lengths]
    parts = list(parts_of(texts))
    assert [text for part in parts for text in part] == texts
    assert all(part for part in parts)
    assert all(len(part) == 1 or sum(map(len, part)) <= MAX_CHARS_AT_ONCE for part in parts)


def test_a_part_of_short_texts_has_256() -> None:
    assert [len(part) for part in parts_of(["short"] * 600)] == [READ_AT_ONCE, READ_AT_ONCE, 88]


@pytest.mark.parametrize(
    "error",
    [
        UpstreamRefused("no", model="m", upstream_status=429, body=b"{}", retryable=True, retry_after_s=3.0),
        UpstreamTimeout("late", model="m", connected=False),
        errors.BadRequest("what", param="messages[0]"),
        errors.DataError("too few"),
    ],
)
def test_an_error_arrives_as_it_was_raised(error: PointsmanError) -> None:
    arrived = pickle.loads(pickle.dumps(Carried.of(error))).error()  # what Ray does with it
    assert type(arrived) is type(error)
    assert str(arrived) == str(error)
    assert vars(arrived) == vars(error)


def test_an_error_without_being_carried_would_not_arrive() -> None:
    with pytest.raises(TypeError):
        pickle.loads(pickle.dumps(UpstreamTimeout("late", model="m")))


def test_the_local_engine_works_on_a_part_when_its_result_is_asked_for() -> None:
    done: list[int] = []

    def work(n: int) -> int:
        done.append(n)
        return n * n

    results = LOCAL.map(work, iter(range(1_000_000)))
    assert [next(results) for _ in range(3)] == [0, 1, 4]
    assert done == [0, 1, 2]


def test_without_ray_the_command_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['ray'] = None\n"
        "from pointsman.engine import EngineName, open_engine\n"
        "from pointsman.errors import DataError\n"
        "try: open_engine(EngineName.RAY)\n"
        "except DataError as error: print(error.message)\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "pip install 'pointsman[ray]'" in said


def test_prompts_read_in_parts_are_read_as_one_by_one() -> None:
    prompts = [f"What is {n} times {n + 1}?" for n in range(300)]
    together = read_inputs(prompts, "static")
    for n in (0, 255, 256, 299):
        alone = read_inputs([prompts[n]], "static")
        np.testing.assert_array_equal(together.features[n], alone.features[0])
        np.testing.assert_array_equal(together.embeddings[n], alone.embeddings[0])
        np.testing.assert_array_equal(together.questions[n], alone.questions[0])


def test_no_prompts_have_no_scores_and_are_no_error() -> None:
    assert router_p_good(open_router("builtin"), ("a", "b", "c"), []).shape == (0, 2)
    assert len(read_inputs([], "static")) == 0
