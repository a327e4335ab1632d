"""A request and its answer as the checks see them, in any dialect; which faults are plain enough to escalate on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pointsman.vocabulary import Answer, Request

from .checks import Asked, Fault, Given, faults
from .signals import TRUNCATED

PLAIN: Final = frozenset(
    {"cut", "stopped", "empty", "truncated", "bad_tool_call", "no_tool_call", "refusal", "bad_json", "bad_schema"}
)
"""Faults of which no judge is asked. The others (repetition, hedging, language, code) a trained scorer weighs."""


def plain_fault(request: Request, answer: Answer, *, prompt: str = "") -> Fault | None:
    """What is plainly wrong with a whole answer, None when nothing is; its words never quote the answer.

    An answer that was cut at the client's own limit is what was asked for, and its JSON cannot be whole.
    """
    cut_as_asked = answer.finish_reason in TRUNCATED and request.max_output_tokens is not None
    let_pass = frozenset({"truncated", "bad_json", "bad_schema"}) if cut_as_asked else frozenset()
    found = faults(asked(request, prompt), given(answer), only=PLAIN - let_pass)
    return found[0] if found else None


def asked(request: Request, prompt: str) -> Asked:
    """What of a request the checks look at; `prompt` is its text as training reads it."""
    return Asked(
        prompt,
        json_output=request.json_output,
        json_schema=wanted_schema(request.body) if request.json_schema else None,
        tools=_tools(request) if request.tools else None,
        forces_tool=request.forces_tool,
    )


def given(answer: Answer) -> Given:
    """What of an answer the checks look at."""
    inputs: tuple[str | None, ...] = answer.tool_inputs
    if len(inputs) != len(answer.tool_calls):
        inputs = (None,) * len(answer.tool_calls)
    calls = tuple(zip(answer.tool_calls, inputs, strict=True))
    return Given(answer.text, answer.finish_reason, calls, answer.complete)


def _tools(request: Request) -> dict[str, Mapping[str, Any] | None]:
    schemas = dict(offered_tools(request.body))
    return {name: schemas.get(name) for name in request.tools}


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
