"""A judge that was not trained: plain faults, the token probabilities that came along, and what was expected.

Its P(good) is a token probability or the router's expectation, and not calibrated to what answers turned out to be
worth. It finds answers that are plainly wrong, and doubts that the model states itself.
"""

from __future__ import annotations

from typing import Final

from pointsman.vocabulary import Answer, Request, Verdict

from .checks import REFUSES
from .phrases import MAX_OPENING_CHARS, refuses
from .served import plain_fault
from .tokens import read_logprobs

UNSURE: Final = (
    "i'm not sure",
    "i am not sure",
    "i'm not certain",
    "i am not certain",
    "i don't know",
    "i do not know",
    "i'm not confident",
    "i am not confident",
)
P_UNSURE: Final = 0.2
"""What an answer is worth that opens with a doubt of its own; a guess, like the next."""
P_UNKNOWN: Final = 0.5
"""P(good) when nothing is known."""


class FreeJudge:
    """Judges without a trained scorer, see the module.

    Verdicts of P(good) 0 that are not `accepted` name what is plainly wrong.
    """

    name = "free checks"
    wants_logprobs = True

    def judge(
        self, request: Request, answer: Answer, *, model: str, p_ahead: float | None = None, early: bool = False
    ) -> Verdict:
        """See `AnswerJudge.judge`."""
        lowered = answer.text[:MAX_OPENING_CHARS].lower()
        if early:
            why = REFUSES if refuses(lowered) else None
        else:
            fault = plain_fault(request, answer)
            why = None if fault is None else fault.why
        if why is not None:
            return Verdict(0.0, False, self.name, why)
        reading = read_logprobs(answer.logprobs)
        if reading is not None and reading.mean is not None:
            p_good, reason = reading.mean, "token probability"
        elif p_ahead is not None:
            p_good, reason = p_ahead, "nothing found; as expected of the request"
        else:
            p_good, reason = P_UNKNOWN, "nothing found, nothing known"
        if any(phrase in lowered for phrase in UNSURE):
            p_good, reason = min(p_good, P_UNSURE), "says that it is not sure"
        return Verdict(min(1.0, max(0.0, p_good)), True, self.name, reason)
