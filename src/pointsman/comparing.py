"""A served answer beside the strong tier's: the same request goes to a strong model, and a judge compares blind.

The judge is the label stage's: it is shown both answers without names, in both orders, and a disagreement is a tie.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from .asking import call_of, short_request
from .catalog import cost_of
from .errors import UpstreamBusy, UpstreamError, UpstreamRefused, UpstreamUnreachable
from .interpreter import Interpreter
from .label import JudgeReply, Pairwise, Task
from .limit import INPUT_MARGIN, most_usage
from .most_usd import most_usd
from .vocabulary import Answer, Dialect, Model, Request, Role, ShadowStatus, Transport, UpstreamAnswer, Usage
from .wire import CODECS, Codec, codec_of, endpoint_of, estimate_tokens, estimate_usage, read_request

MAX_VERDICT_TOKENS = 2_048
"""Room for a judge that reasons before it answers; a verdict itself takes about fifty."""
VERDICT_PROMPT_TOKENS = 400
"""What the judge is told beside the request and the two answers; about 200, and estimates are rough."""

_SERVED, _STRONG = "served", "strong"
_PAIR = Pairwise(_STRONG)
_LOCAL_TOOLS = frozenset({"function", "custom"})
"""Types of tools that the client runs itself. All others are run by the provider and may do something, or cost."""
_NOT_COMPARED = (
    "previous_response_id",
    "conversation",
    "prompt",
    "background",
    "container",
    "mcp_servers",
    "web_search_options",
    "plugins",
    "audio",
)
"""Fields of requests that only the upstream that holds their state can serve, for which a provider runs tools of its
own, or whose answers are no text."""
_NOT_SENT = ("stream", "stream_options", "store", "metadata", "user", "safety_identifier")
"""Fields that the strong tier's copy goes without: it comes whole, is kept nowhere, and is nobody's."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """How an answer came to be compared, when its request was decided."""

    fingerprint: str
    """See `pointsman.vocabulary.ShadowLabel`; empty for a decision that was not by the policy's own limit."""
    share: float
    """Of such answers that were drawn."""


@dataclass(frozen=True, slots=True)
class Served:
    """An answer that a client got, in memory only."""

    request: Request
    request_id: str
    policy: str
    reason_code: str
    model: str
    tier: str
    answer: Answer
    drawn: Drawn
    headers: Mapping[str, str]
    """The client's, names in lower case."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of comparing; see `pointsman.vocabulary.ShadowLabel`."""

    status: ShadowStatus
    score: float | None
    orders_agree: bool | None
    judge: str
    strong_cost_usd: float
    judge_cost_usd: float
    error: str | None = None
    strong_answer: str | None = None

    @property
    def cost_usd(self) -> float:
        """Strong call and judge together."""
        return self.strong_cost_usd + self.judge_cost_usd


def why_not_compared(request: Request) -> str | None:
    """Why this request is never sent a second time, in words; None when it may be."""
    body = request.body
    if not request.hints.shadow or body.get("store") is False:
        return "its client wants no copy of it"
    if request.endpoint != endpoint_of(request.dialect):
        return "it asks for no answer that could be judged"
    if request.n_images > 0:
        return "the judge cannot see images"
    if any(body.get(name) is not None and body.get(name) is not False for name in _NOT_COMPARED):
        return "another upstream does not know what it continues, its provider runs tools, or its answer is no text"
    if isinstance(body.get("n"), int) and body["n"] > 1:
        return "it asks for several answers"
    tools = body.get("tools")
    if isinstance(tools, list) and not all(_is_local(tool) for tool in tools):
        return "its provider runs tools of its own"
    return None


def _is_local(tool: object) -> bool:
    return isinstance(tool, dict) and (tool.get("type") is None or tool.get("type") in _LOCAL_TOOLS)


def most_comparison_usd(served: Served, strong: Model, judge: Model) -> float:
    """The most that one comparison can cost: the strong answer at its longest, and the judge reading it twice."""
    longest = most_usage(served.request, strong.capabilities).output_tokens
    n_read = (
        estimate_tokens(conversation_text(served.request))
        + estimate_tokens(answer_text(served.answer))
        + longest
        + VERDICT_PROMPT_TOKENS
    )
    return most_usd(served.request, strong) + 2 * _most_verdict_usd(judge, n_read)


def _most_verdict_usd(judge: Model, n_input_tokens: int) -> float:
    """The most that one verdict can cost; nothing of it is written to a prompt cache."""
    usage = Usage(math.ceil(n_input_tokens * INPUT_MARGIN), MAX_VERDICT_TOKENS, estimated=True)
    usd = cost_of(judge.price, judge.price_missing, usage).usd
    return 0.0 if usd is None else usd


async def compare(served: Served, strong: Model, judge: Model, transport: Transport) -> Comparison:
    """What a judge says of the served answer beside the strong model's.

    An answer or a verdict that broke off is counted at the most that it can have cost: the provider may bill it.
    """
    answer, strong_usd, error = await _strong_answer(served, strong, transport)
    if answer is None:
        return Comparison(ShadowStatus.STRONG_FAILED, None, None, "", strong_usd, 0.0, error)
    theirs = answer_text(answer)
    task = Task("", served.request_id, conversation_text(served.request))
    answers = {_SERVED: answer_text(served.answer), _STRONG: theirs}
    replies: dict[str, JudgeReply] = {}
    judge_usd, asked = 0.0, ""
    for question in _PAIR.questions([task], [answers], [_SERVED, _STRONG]):
        asked = judge.name
        text, usd, error = await _verdict(question.prompt, judge, transport)
        judge_usd += usd
        replies[question.id] = JudgeReply(text, usd)
        if text is None:
            break
    (scores,), report = _PAIR.scores([task], [answers], [_SERVED, _STRONG], replies)
    score = scores[_SERVED]
    if score != score:
        unread = "the judge's verdict cannot be read" if error is None else error
        return Comparison(ShadowStatus.JUDGE_FAILED, None, None, asked, strong_usd, judge_usd, unread, theirs)
    agree = report.n_contradicting + report.n_wavering == 0
    return Comparison(ShadowStatus.JUDGED, score, agree, asked, strong_usd, judge_usd, None, theirs)


# ---------------------------------------------------------------- the two calls


async def _strong_answer(
    served: Served, strong: Model, transport: Transport
) -> tuple[Answer | None, float, str | None]:
    """The strong model's answer (None when there is none), what it cost, and what went wrong."""
    request = _copy(served.request)
    codec = codec_of(request.dialect, request.endpoint)
    way = Interpreter(request, served.headers, transport, request_id=served.request_id)
    most = most_usd(request, strong)
    try:
        answer, error, may_be_billed = await _read(await way.send(way.call(strong)), codec)
    except UpstreamError as failure:
        answer, error, may_be_billed = None, failure.code, _was_at_work(failure)
    if answer is None:
        return None, most if may_be_billed else 0.0, error
    return answer, _cost_usd(strong, request, answer, most), None


async def _verdict(prompt: str, judge: Model, transport: Transport) -> tuple[str | None, float, str | None]:
    """The judge's words (None when there are none), what they cost, and what went wrong."""
    request = short_request(judge, prompt, max_output_tokens=MAX_VERDICT_TOKENS)
    most = _most_verdict_usd(judge, request.n_total_tokens)
    try:
        answer, error, may_be_billed = await _read(
            await transport.send(call_of(judge, request)), CODECS[request.dialect]
        )
    except UpstreamError as failure:
        answer, error, may_be_billed = None, failure.code, _was_at_work(failure)
    if answer is None:
        return None, most if may_be_billed else 0.0, error
    return answer.text, _cost_usd(judge, request, answer, most), None


async def _read(upstream: UpstreamAnswer, codec: Codec) -> tuple[Answer | None, str | None, bool]:
    """The answer, what went wrong, and whether it may be billed all the same."""
    try:
        if not 200 <= upstream.status < 300:
            return None, f"status {upstream.status}", False
        raw = await upstream.read()
    finally:
        await upstream.aclose()
    try:
        return codec.read_answer(raw), None, False
    except ValueError:
        return None, "unreadable", True


def _was_at_work(failure: UpstreamError) -> bool:
    return not isinstance(failure, UpstreamUnreachable | UpstreamBusy | UpstreamRefused)


def _cost_usd(model: Model, request: Request, answer: Answer, most: float) -> float:
    """By the upstream's count; by our estimate where it gives none; at the most where neither makes sense."""
    for usage in (answer.usage, estimate_usage(request, answer)):
        if usage is not None:
            usd = cost_of(model.price, model.price_missing, usage).usd
            if usd is not None:
                return usd
    return most


def _copy(request: Request) -> Request:
    """The same request for a whole answer that no provider keeps, without who asked."""
    body: dict[str, Any] = {name: value for name, value in request.body.items() if name not in _NOT_SENT}
    if request.dialect is Dialect.OPENAI_RESPONSES:
        body["store"] = False
    return read_request(request.dialect, orjson.dumps(body), endpoint=request.endpoint, hints=request.hints)


# ---------------------------------------------------------------- what the judge reads


def conversation_text(request: Request) -> str:
    """The whole conversation as text; a single user turn as it is."""
    turns = [turn for turn in request.turns if turn.text or turn.tool_calls]
    if len(turns) == 1 and turns[0].role is Role.USER and not request.tools:
        return turns[0].text
    parts = [f"[{turn.role.value}]\n{turn.text}{_called(turn.tool_calls)}" for turn in turns]
    if request.tools:
        parts.insert(0, f"[tools that may be called]\n{', '.join(request.tools)}")
    return "\n\n".join(parts)


def _called(names: tuple[str, ...]) -> str:
    return f"\n(calls {', '.join(names)})" if names else ""


def answer_text(answer: Answer) -> str:
    """The answer's text, then each tool call as a line of JSON with its arguments in order of their names."""
    lines = [answer.text] if answer.text else []
    inputs = (*answer.tool_inputs, *[""] * len(answer.tool_calls))
    for name, given in zip(answer.tool_calls, inputs, strict=False):
        try:
            arguments = orjson.loads(given) if given else None
        except orjson.JSONDecodeError:
            arguments = given
        called = {"tool_call": name, "arguments": arguments}
        lines.append(orjson.dumps(called, option=orjson.OPT_SORT_KEYS).decode())
    return "\n".join(lines)
