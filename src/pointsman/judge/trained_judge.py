"""The judge that a router artifact brings: P(good) of an answer's text and token probabilities, calibrated per model.

It judges what it was trained for. Plain faults come first, and the free judge takes the rest: models that the artifact
does not know, answers that call tools, and the beginnings of streams.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from pointsman.errors import PointsmanError
from pointsman.learned import Ahead
from pointsman.vocabulary import Answer, Request, Verdict

from .free_judge import FreeJudge
from .scorer import AnswerScorer
from .served import plain_fault
from .tokens import TOKEN_SIGNALS, read_logprobs

KEPT_REQUESTS: Final = 256
"""Requests whose expectations are remembered, so that each is read once for its decision and all of its verdicts."""
_FAULTS: Final = (
    PointsmanError,
    ArithmeticError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What array code and encoders raise (as `pointsman.scoring`)."""


class TrainedJudge:
    """Judges with an artifact's answer scorer, see the module; implements `vocabulary.AnswerJudge`."""

    wants_logprobs = True

    def __init__(
        self,
        scorer: AnswerScorer,
        *,
        router: str,
        names: Mapping[str, str],
        text_of: Callable[[Request], str],
        fallback: FreeJudge | None = None,
    ) -> None:
        """Takes what scores, the artifact's name, and the artifact's name for each configured model that it knows.

        `text_of` gives a request's prompt as training reads prompts.
        """
        self.name = f"answer scorer of {router}"
        self._scorer = scorer
        self._names = dict(names)
        self._text_of = text_of
        self._fallback = FreeJudge() if fallback is None else fallback
        self._ahead: OrderedDict[int, tuple[Request, Ahead]] = OrderedDict()
        n_tokens = len(TOKEN_SIGNALS)
        reads_tokens = bool((scorer.skill.reading_scale[-n_tokens:] > 0).any())
        self.wants_logprobs = reads_tokens or self._fallback.wants_logprobs

    def knows(self, model: str) -> bool:
        """Whether the artifact has learned from answers of a configured model."""
        return model in self._names

    def expected(self, request: Request, models: Sequence[str]) -> Ahead | None:
        """What is expected of the artifact's models before any call, n = 1; None when the prompt cannot be read.

        Args:
            models: by the artifact's names, in the order wanted.
        """
        try:
            ahead = self._ahead_of(request)
        except _FAULTS:
            return None
        at = [self._scorer.skill.models.index(model) for model in models]
        return Ahead(ahead.values[:, at], ahead.p_good[:, at], ahead.log_cost[:, at])

    def judge(
        self, request: Request, answer: Answer, *, model: str, p_ahead: float | None = None, early: bool = False
    ) -> Verdict:
        """See `AnswerJudge.judge`."""
        known = self._names.get(model)
        if known is None or early or answer.tool_calls:
            return self._fallback.judge(request, answer, model=model, p_ahead=p_ahead, early=early)
        prompt = self._text_of(request)
        fault = plain_fault(request, answer, prompt=prompt)
        if fault is not None:
            return Verdict(0.0, False, self.name, fault.why)
        ahead = self._ahead_of(request)
        tokens = read_logprobs(answer.logprobs)
        p_good = self._scorer.p_good(
            known, prompt, answer.text, ahead=ahead, tokens=tokens, finish_reason=answer.finish_reason
        )
        read = "its text" if tokens is None else "its text and token probabilities"
        return Verdict(p_good, True, self.name, f"by {read}")

    def _ahead_of(self, request: Request) -> Ahead:
        # By identity: a request is not changed, and comparing two by their content would cost more than it saves.
        key = id(request)
        kept = self._ahead.get(key)
        if kept is not None and kept[0] is request:
            return kept[1]
        ahead = self._scorer.ahead(self._text_of(request))
        self._ahead[key] = (request, ahead)
        while len(self._ahead) > KEPT_REQUESTS:
            self._ahead.popitem(last=False)
        return ahead
