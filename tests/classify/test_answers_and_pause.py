"""What a classifier remembers, and when it is left alone."""

from __future__ import annotations

from pointsman.classify import AnswerCache, Pause
from pointsman.classify.pause import FAILURES_IN_A_ROW, PAUSE_S
from pointsman.testing import FakeClock


def test_the_least_recently_used_answer_is_forgotten_first() -> None:
    answers = AnswerCache(2)
    answers.put(b"a", "cheap")
    answers.put(b"b", "strong")
    assert answers.get(b"a") == "cheap"
    answers.put(b"c", "cheap")
    assert (answers.get(b"a"), answers.get(b"b"), answers.get(b"c"), len(answers)) == ("cheap", None, "cheap", 2)


def test_a_cache_of_no_entries_remembers_nothing() -> None:
    answers = AnswerCache(0)
    answers.put(b"a", "cheap")
    assert (answers.get(b"a"), len(answers)) == (None, 0)


def test_after_failures_in_a_row_one_question_per_pause_goes_through() -> None:
    clock = FakeClock()
    pause = Pause(clock)
    for _ in range(FAILURES_IN_A_ROW - 1):
        pause.failed()
    assert pause.allows()
    pause.failed()
    assert not pause.allows()
    clock.advance(PAUSE_S)
    assert [pause.allows(), pause.allows()] == [True, False], "one tries, the others do not wait for it"
    pause.failed()
    assert not pause.allows()
    clock.advance(PAUSE_S)
    assert pause.allows()
    pause.answered()
    assert [pause.allows(), pause.allows()] == [True, True]


def test_an_answer_in_between_starts_the_count_anew() -> None:
    pause = Pause(FakeClock())
    for _ in range(FAILURES_IN_A_ROW - 1):
        pause.failed()
    pause.answered()
    pause.failed()
    assert pause.allows()
