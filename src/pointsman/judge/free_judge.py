"""A judge that was not trained: plain faults, the token probabilities that came along, and what was expected.

Its P(good) is a token probability or the router's expectation, and not calibrated to what answers turned out to be
worth. It finds answers that are plainly wrong, and doubts that the model states itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from pointsman.vocabulary import Answer, Request, Verdict

from .phrases import MAX_OPENING_CHARS, refuses
from .schema import broken
from .tokens import read_logprobs

CUT: Final = frozenset({"length", "max_tokens", "max_output_tokens"})
WITHHELD: Final = frozenset({"content_filter", "refusal", "failed", "cancelled", "model_context_window_exceeded"})
"""Finish reasons of an answer that is none (OpenAI and Anthropic API references, read 2026-11)."""
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
        fault = "refuses" if refuses(lowered) else None if early else plain_fault(request, answer)
        if fault is not None:
            return Verdict(0.0, False, self.name, fault)
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


def plain_fault(request: Request, answer: Answer) -> str | None:
    """What is plainly wrong with a whole answer, None when nothing is. It never quotes the answer."""
    reason = answer.finish_reason
    if not answer.complete:
        return "is not complete"
    if reason in WITHHELD:
        return f"was withheld ({reason})"
    if not answer.text.strip() and not answer.tool_calls:
        return "is empty"
    if reason in CUT and request.max_output_tokens is None:
        return "was cut at the model's own limit"
    if answer.tool_calls:
        return _call_fault(request, answer)
    if request.forces_tool:
        return "calls no tool, though one was demanded"
    if request.json_output and reason not in CUT:
        return _json_fault(request, answer.text)
    return None


def _json_fault(request: Request, text: str) -> str | None:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return "is not the JSON that was demanded"
    schema = wanted_schema(request.body)
    if schema is None:
        return None if isinstance(value, dict) else "is JSON, but not an object"
    return None if broken(value, schema) is None else "breaks the JSON Schema that was demanded"


def _call_fault(request: Request, answer: Answer) -> str | None:
    schemas = dict(offered_tools(request.body))
    inputs = answer.tool_inputs if len(answer.tool_inputs) == len(answer.tool_calls) else ()
    for position, name in enumerate(answer.tool_calls):
        if name not in request.tools:
            return "calls a tool that was not offered"
        schema = schemas.get(name)
        if schema is None or position >= len(inputs):
            continue
        try:
            value = orjson.loads(inputs[position] or "{}")
        except orjson.JSONDecodeError:
            return "calls a tool with arguments that are not JSON"
        if broken(value, schema) is not None:
            return "calls a tool with arguments that break its schema"
    return None


def wanted_schema(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The JSON Schema that a request demands of its answer in any dialect, None when there is none."""
    text, output = body.get("text"), body.get("output_config")
    for wanted in (
        body.get("response_format"),
        text.get("format") if isinstance(text, dict) else None,
        output.get("format") if isinstance(output, dict) else None,
        body.get("output_format"),
    ):
        if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
            inner = wanted.get("json_schema")
            schema = inner.get("schema") if isinstance(inner, dict) else wanted.get("schema")
            return schema if isinstance(schema, dict) else None
    return None


def offered_tools(body: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Name and schema of each function offered in any dialect; tools without a schema are left out."""
    tools = body.get("tools")
    for tool in tools if isinstance(tools, list) else ():
        if not isinstance(tool, dict):
            continue
        inner = tool.get("function")
        told = inner if isinstance(inner, dict) else tool
        name, schema = told.get("name"), told.get("parameters", told.get("input_schema"))
        if isinstance(name, str) and isinstance(schema, dict):
            yield name, schema
