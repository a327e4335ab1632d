"""An LLM judge, without I/O: questions out, replies in, scores and what to think of the judge.

Pairwise: each answer against the strong model's, asked in both orders. The verdict counts where both orders agree;
everything else is a tie, the conservative rule of L. Zheng et al., "Judging LLM-as-a-Judge with MT-Bench and Chatbot
Arena" (arXiv 2306.05685). How often the orders disagree is the judge's self-consistency ("position consistency" in
L. Shi et al., "Judging the Judges", arXiv 2406.07791), and stands in the card. Rubric: a mark from 1 to 5 per answer.

A judge that fails, or whose reply cannot be read, leaves the answer unscored: NaN, never 0.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pointsman.intervals import Share
from pointsman.vocabulary import JSONObject

from .judge_prompts import PAIRWISE, RUBRIC, fenced
from .judge_replies import Preference, read_mark, read_preference
from .tasks import Task
from .textual import normalised_answer

WIN, TIE, LOSS = 1.0, 0.5, 0.0
"""Scores of an answer against the strong one. The strong answer itself scores `TIE`."""


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to ask the judge. `id` names it within the eval set and stays the same in every run."""

    id: str
    prompt: str


@dataclass(frozen=True, slots=True)
class JudgeReply:
    """What the judge said; `text` is None when it could not be asked. `cost_usd` is None when not known."""

    text: str | None
    cost_usd: float | None = 0.0


@dataclass(slots=True)
class JudgeReport:
    """What a judge did, for the card of the eval set.

    Attributes:
        mode: "pairwise" or "rubric".
        prompt_sha256: of the prompt's template, the rubric included.
        n_questions, n_failed, n_unreadable: asked, not answered, answered beyond understanding.
        cost_usd: of all replies whose cost is known; `n_unpriced` counts the others.
        n_pairs: pairs with two readable verdicts.
        n_contradicting: of these, where one order said better and the other worse.
        n_wavering: of these, where one order said tie and the other did not.
        n_first_won: contradicting pairs in which the answer shown first won both times.
        n_same: pairs of equal answers, which are ties without asking.
    """

    mode: str
    prompt_sha256: str
    n_questions: int = 0
    n_failed: int = 0
    n_unreadable: int = 0
    cost_usd: float = 0.0
    n_unpriced: int = 0
    n_pairs: int = 0
    n_contradicting: int = 0
    n_wavering: int = 0
    n_first_won: int = 0
    n_same: int = 0

    @property
    def contradicting(self) -> Share:
        """The share of pairs on which the judge contradicted itself."""
        return Share(self.n_contradicting, self.n_pairs)

    @property
    def inconsistent(self) -> Share:
        """The share of pairs on which the two orders disagreed at all; each of them counts as a tie."""
        return Share(self.n_contradicting + self.n_wavering, self.n_pairs)

    def to_json(self) -> JSONObject:
        """Plain JSON types; shares with their 95 % interval, null when there was no pair."""
        out: JSONObject = {name: getattr(self, name) for name in self.__slots__}
        for name, share in (("contradicting", self.contradicting), ("inconsistent", self.inconsistent)):
            out[f"{name}_share"] = share.value if share.n else None
            out[f"{name}_ci"] = list(share.interval) if share.n else None
        return out

    def _take(self, reply: JudgeReply) -> str | None:
        if reply.cost_usd is None:
            self.n_unpriced += 1
        else:
            self.cost_usd += reply.cost_usd
        if reply.text is None:
            self.n_failed += 1
        return reply.text


Answers = Mapping[str, str | None]
"""A prompt's answers by model; None where there is none."""


@dataclass(frozen=True, slots=True)
class Rubric:
    """Marks each answer by itself, 1 to 5, as a score (mark - 1) / 4.

    Args:
        criteria: what to judge by, for the judge; None is correctness, obedience and completeness.
    """

    criteria: str | None = None

    @property
    def prompt_sha256(self) -> str:
        """SHA-256 of the template with its criteria, hexadecimal."""
        return _sha256(RUBRIC.with_criteria(self.criteria))

    def questions(self, tasks: Sequence[Task], answers: Sequence[Answers], models: Sequence[str]) -> list[Question]:
        """One question per answer; tasks and answers go together."""
        return [
            Question(_id(task, model, "mark"), self._prompt(task, answer))
            for task, held in zip(tasks, answers, strict=True)
            for model in models
            if (answer := held.get(model)) is not None
        ]

    def scores(
        self,
        tasks: Sequence[Task],
        answers: Sequence[Answers],
        models: Sequence[str],
        replies: Mapping[str, JudgeReply],
    ) -> tuple[list[dict[str, float]], JudgeReport]:
        """Scores by model for each task, and the report. A question without a reply counts as failed."""
        report = JudgeReport("rubric", self.prompt_sha256)
        scores: list[dict[str, float]] = []
        for task, held in zip(tasks, answers, strict=True):
            row: dict[str, float] = {}
            for model in models:
                if held.get(model) is None:
                    continue
                report.n_questions += 1
                text = report._take(replies.get(_id(task, model, "mark"), _NO_REPLY))
                mark = None if text is None else read_mark(text)
                report.n_unreadable += text is not None and mark is None
                row[model] = math.nan if mark is None else (mark - 1) / 4
            scores.append(row)
        return scores, report

    def _prompt(self, task: Task, answer: str) -> str:
        return RUBRIC.filled(
            self.criteria,
            fenced("request", task.prompt),
            *(fenced("correct_answer", reference) for reference in task.references[:1]),
            fenced("answer", answer),
        )


@dataclass(frozen=True, slots=True)
class Pairwise:
    """Compares each answer with the strong model's, in both orders: better is 1, worse 0, and a tie ½.

    A tie is good enough at the default threshold of ½.

    Args:
        strong: the model that the others are compared with.
        criteria: what to judge by, for the judge; None is correctness, obedience and completeness.
    """

    strong: str
    criteria: str | None = None

    @property
    def prompt_sha256(self) -> str:
        """SHA-256 of the template with its criteria, hexadecimal."""
        return _sha256(PAIRWISE.with_criteria(self.criteria))

    def questions(self, tasks: Sequence[Task], answers: Sequence[Answers], models: Sequence[str]) -> list[Question]:
        """Two questions per pair, one in each order; none where the answers are the same once normalised."""
        out: list[Question] = []
        for task, held, model in _pairs(tasks, answers, models, self.strong):
            mine, strong = held[model], held[self.strong]
            assert mine is not None
            assert strong is not None
            if not _same(mine, strong):
                out.append(Question(_id(task, model, "first"), self._prompt(task, mine, strong)))
                out.append(Question(_id(task, model, "second"), self._prompt(task, strong, mine)))
        return out

    def scores(
        self,
        tasks: Sequence[Task],
        answers: Sequence[Answers],
        models: Sequence[str],
        replies: Mapping[str, JudgeReply],
    ) -> tuple[list[dict[str, float]], JudgeReport]:
        """Scores by model for each task, and the report. The strong model's own score is ½ wherever it answered."""
        report = JudgeReport("pairwise", self.prompt_sha256)
        rows = {id(task): dict[str, float]() for task in tasks}
        for task, held in zip(tasks, answers, strict=True):
            if held.get(self.strong) is not None:
                rows[id(task)][self.strong] = TIE
        for task, held, model in _pairs(tasks, answers, models, self.strong):
            mine, strong = held[model], held[self.strong]
            assert mine is not None
            assert strong is not None
            if _same(mine, strong):
                report.n_same += 1
                rows[id(task)][model] = TIE
            else:
                rows[id(task)][model] = self._verdict(task, model, replies, report)
        return [rows[id(task)] for task in tasks], report

    def _verdict(self, task: Task, model: str, replies: Mapping[str, JudgeReply], report: JudgeReport) -> float:
        preferences: list[Preference | None] = []
        for order in ("first", "second"):
            report.n_questions += 1
            text = report._take(replies.get(_id(task, model, order), _NO_REPLY))
            preference = None if text is None else read_preference(text)
            report.n_unreadable += text is not None and preference is None
            preferences.append(preference)
        shown_first, shown_second = preferences
        if shown_first is None or shown_second is None:
            return math.nan
        report.n_pairs += 1
        one = {Preference.FIRST: WIN, Preference.SECOND: LOSS, Preference.TIE: TIE}[shown_first]
        two = {Preference.FIRST: LOSS, Preference.SECOND: WIN, Preference.TIE: TIE}[shown_second]
        if one == two:
            return one
        if TIE in (one, two):
            report.n_wavering += 1
        else:
            report.n_contradicting += 1
            report.n_first_won += shown_first is Preference.FIRST
        return TIE

    def _prompt(self, task: Task, first: str, second: str) -> str:
        return PAIRWISE.filled(
            self.criteria,
            fenced("request", task.prompt),
            *(fenced("correct_answer", reference) for reference in task.references[:1]),
            fenced("answer_a", first),
            fenced("answer_b", second),
        )


_NO_REPLY = JudgeReply(None)


def _pairs(
    tasks: Sequence[Task], answers: Sequence[Answers], models: Sequence[str], strong: str
) -> Iterable[tuple[Task, Answers, str]]:
    for task, held in zip(tasks, answers, strict=True):
        if held.get(strong) is None:
            continue
        for model in models:
            if model != strong and held.get(model) is not None:
                yield task, held, model


def _same(one: str, two: str) -> bool:
    return normalised_answer(one) == normalised_answer(two)


def _id(task: Task, model: str, what: str) -> str:
    return "\x1f".join((task.dataset, task.prompt_id, model, what))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
