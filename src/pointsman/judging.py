"""A configured model as the judge that is asked where the free one is unsure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .asking import ModelAsker
from .classify import ClassifierSettings, Question
from .errors import UpstreamBroken
from .judge import judging_prompt, read_judgement
from .vocabulary import Answer, Cost, Model, Request, Transport, Verdict

RUBRIC: Final = (
    "You judge answers. An answer is good when it is correct, does all that was asked, and keeps to the form that was "
    "asked for. Judges tend to agree with what reads well: look for the mistake first."
)
"""Before every question; the last sentence because of arXiv 2510.11822."""


@dataclass(frozen=True, slots=True)
class ModelJudgeSettings:
    """How the judge's model is asked."""

    model: Model
    timeout_s: float = 5.0
    max_output_tokens: int = 256
    parameters: Mapping[str, Any] = field(default_factory=dict)


class ModelJudge:
    """Asks a model how likely an answer is to be correct; implements `vocabulary.AskedJudge`.

    Args:
        text_of: gives a request's prompt.

    Raises:
        ConfigError: its model is simulated or has no price, or its parameters make no request.
    """

    def __init__(
        self, settings: ModelJudgeSettings, transport: Transport, *, text_of: Callable[[Request], str]
    ) -> None:
        self.name = f"judge {settings.model.name}"
        self._model = settings.model.name
        self._text_of = text_of
        self._ask = ModelAsker(
            ClassifierSettings(
                settings.model,
                timeout_s=settings.timeout_s,
                max_output_tokens=settings.max_output_tokens,
                parameters=settings.parameters,
            ),
            transport,
        )

    async def judge(self, request: Request, answer: Answer, *, model: str) -> Verdict:
        """The judgement with its cost.

        Raises:
            UpstreamBroken: it did not answer in time, or not with a probability.
        """
        told = await self._ask(Question(RUBRIC, judging_prompt(self._text_of(request), answer.text)))
        if told.text is None:
            raise UpstreamBroken(f"the judge {self._model} did not judge: {told.failure}", model=self._model)
        p_good = read_judgement(told.text)
        if p_good is None:
            raise UpstreamBroken(f"the judge {self._model} named no probability", model=self._model)
        return Verdict(p_good, True, self.name, f"asked {self._model}", Cost(told.cost_usd))
