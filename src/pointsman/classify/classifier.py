"""From a request to a tier: remembered, under way already, or asked now; and what that cost."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pointsman.prompt_identity import normalised
from pointsman.vocabulary import Classification, Clock, Model, Request

from .answers import AnswerCache
from .pause import PAUSE_S, Pause
from .question import PROMPT_VERSION, Question, question, shortened
from .reply import read_tier

MAX_UNDER_WAY = 1_000
"""Different questions under way at once; one more is not asked."""


@dataclass(frozen=True, slots=True)
class ClassifierSettings:
    """How one policy's classifier is asked."""

    model: Model
    timeout_s: float = 0.8
    max_prompt_chars: int = 4_000
    cache_entries: int = 10_000
    max_output_tokens: int = 64
    instructions: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the question's body."""


@dataclass(frozen=True, slots=True)
class Told:
    """What came of asking: the reply's text, or why there is none; and what it cost, even so."""

    text: str | None
    failure: str | None
    cost_usd: float


class Asker(Protocol):
    """Sends a question to the classifier's model, within the time limit."""

    async def __call__(self, asked: Question) -> Told:
        """The reply; a failure is told, not raised."""

    def least_usd(self, asked: Question) -> float:
        """What a question costs once it is sent, whatever comes of it: its input, in USD, estimated."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    tier: str | None
    failure: str | None
    cost_usd: float


@dataclass(slots=True)
class _UnderWay:
    """One question on its way, with those who wait for it."""

    asked: Question
    task: asyncio.Task[_Outcome] | None = None
    n_waiting: int = 0
    paid: bool = False
    """One of those who wait has it on its bill."""


class Classifier:
    """Asks, remembers, and lets requests that are the same share one question. Belongs to one event loop.

    Args:
        settings: how to ask.
        asker: sends the question.
        text_of: the text of a request that is to be classified.
        clock: monotonic seconds.
        mark: draws the mark around a request, anew for each question.
    """

    def __init__(
        self,
        settings: ClassifierSettings,
        asker: Asker,
        *,
        text_of: Callable[[Request], str],
        clock: Clock,
        mark: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._settings = settings
        self._asker = asker
        self._text_of = text_of
        self._clock = clock
        self._mark = mark
        self._answers = AnswerCache(settings.cache_entries)
        self._pause = Pause(clock)
        self._under_way: dict[bytes, _UnderWay] = {}

    @property
    def model(self) -> str:
        """The configured name of the model that is asked."""
        return self._settings.model.name

    def remembered(self, request: Request, tiers: Sequence[str]) -> Classification:
        """What is remembered of such a request; nobody is asked."""
        tier = self._answers.get(self._key(request, tiers, *self._material(request)))
        if tier is not None:
            return Classification(self.model, tier, "remembered")
        return self.not_asked("nothing is called here, and its answer is not remembered")

    def not_asked(self, why: str) -> Classification:
        """The classification of a request for which it is not asked."""
        return Classification(self.model, None, "not asked", why)

    async def classify(self, request: Request, tiers: Sequence[str], *, spent: list[float]) -> Classification:
        """The cheapest of the tiers that will do, by the classifier; or why it did not say.

        Requests of one client key with the same text and the same tiers share a question and its answer.

        Args:
            tiers: names to choose from, cheapest first; at least two.
            spent: gets the cost in USD, also when this is cancelled.
        """
        material, facts = self._material(request)
        if not material:
            return self.not_asked("there is no text")
        key = self._key(request, tiers, material, facts)
        tier = self._answers.get(key)
        if tier is not None:
            return Classification(self.model, tier, "remembered")
        shared = self._under_way.get(key)
        if shared is not None:
            return await self._wait(key, shared, "shared", spent)
        if len(self._under_way) >= MAX_UNDER_WAY:
            return self.not_asked(f"{MAX_UNDER_WAY:,} questions are under way")
        if not self._pause.allows():
            return self.not_asked(f"it keeps failing and is left alone for {PAUSE_S:g} s")
        asked = question(
            material, facts=facts, tiers=tiers, instructions=self._settings.instructions, mark=self._mark()
        )
        begun = self._under_way[key] = _UnderWay(asked)
        begun.task = asyncio.create_task(self._ask(key, begun, tuple(tiers)), name="pointsman-classify")
        return await self._wait(key, begun, "asked", spent)

    async def _wait(self, key: bytes, call: _UnderWay, how: str, spent: list[float]) -> Classification:
        assert call.task is not None
        started_s = self._clock()
        call.n_waiting += 1
        try:
            # Shielded: one client that leaves must not take the answer from the others.
            outcome = await asyncio.shield(call.task)
        except asyncio.CancelledError:
            if call.n_waiting == 1 and not call.paid:
                call.paid = True
                spent.append(self._left_behind(key, call))
            raise
        finally:
            call.n_waiting -= 1
        cost_usd = 0.0 if call.paid else outcome.cost_usd
        call.paid = True
        spent.append(cost_usd)
        return Classification(
            self.model, outcome.tier, how, outcome.failure, cost_usd, (self._clock() - started_s) * 1e3
        )

    def _left_behind(self, key: bytes, call: _UnderWay) -> float:
        """What a question costs that nobody waits for any more; it is cancelled unless its answer has just come."""
        assert call.task is not None
        if call.task.done() and not call.task.cancelled():
            return call.task.result().cost_usd
        call.task.cancel()
        # Nobody may join a question that is being cancelled.
        self._forget(key, call)
        return self._asker.least_usd(call.asked)

    def _forget(self, key: bytes, call: _UnderWay) -> None:
        if self._under_way.get(key) is call:
            del self._under_way[key]

    async def _ask(self, key: bytes, call: _UnderWay, tiers: tuple[str, ...]) -> _Outcome:
        try:
            told = await self._asker(call.asked)
        finally:
            self._forget(key, call)
        if told.text is None:
            self._pause.failed()
            return _Outcome(None, told.failure, told.cost_usd)
        # A reply that makes no sense may be the request's doing, so it never pauses the classifier for others.
        self._pause.answered()
        tier = read_tier(told.text, tiers)
        if tier is None:
            return _Outcome(None, "its answer names no tier", told.cost_usd)
        self._answers.put(key, tier)
        return _Outcome(tier, None, told.cost_usd)

    def _material(self, request: Request) -> tuple[str, str]:
        """The text to show and, in our words, what it does not show."""
        facts = [
            words
            for n, words in (
                (request.n_images, "It comes with images."),
                (len(request.tools), "It offers tools to call."),
                (request.json_output, "It demands JSON."),
            )
            if n
        ]
        return shortened(self._text_of(request).strip(), self._settings.max_prompt_chars), " ".join(facts)

    def _key(self, request: Request, tiers: Sequence[str], material: str, facts: str) -> bytes:
        """128 bits over everything that the answer depends on, and the client's key: clients share nothing."""
        settings = self._settings
        digest = hashlib.blake2b(digest_size=16)
        for part in (
            settings.model.name,
            settings.model.provider_model,
            str(PROMPT_VERSION),
            settings.instructions or "",
            "\0".join(tiers),
            facts,
            "" if request.key_id is None else request.key_id,
            normalised(material),
        ):
            data = part.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8, "big") + data)
        return digest.digest()
