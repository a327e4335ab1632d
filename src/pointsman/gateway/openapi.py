"""The gateway as an OpenAPI document: one entry for each route, held to the route table by a test.

Requests and answers of the providers' protocols are theirs and change with them; here stands only what the gateway
itself asks of them. Fields that it does not know pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pointsman.vocabulary import JSONObject

from .access import Access, access_to

_TEXT: JSONObject = {"type": "string"}
_NAME: JSONObject = {"type": "string", "minLength": 1, "description": "`auto`, `auto:<policy>`, or a model's name."}
_COUNT: JSONObject = {"type": "integer", "minimum": 1}
_MESSAGES: JSONObject = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["role", "content"],
        "properties": {
            "role": {"enum": ["user", "assistant"]},
            "content": {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}]},
        },
    },
}


def _object(required: tuple[str, ...], **properties: JSONObject) -> JSONObject:
    return {"type": "object", "required": list(required), "properties": properties}


_CHAT = _object(
    ("model", "messages"), model=_NAME, messages=_MESSAGES, stream={"type": "boolean"}, max_completion_tokens=_COUNT
)
_RESPONSES = _object(
    ("model", "input"),
    model=_NAME,
    input={"oneOf": [{"type": "string"}, _MESSAGES]},
    instructions=_TEXT,
    stream={"type": "boolean"},
    max_output_tokens=_COUNT,
)
_CLAUDE = _object(
    ("model", "max_tokens", "messages"),
    model=_NAME,
    max_tokens=_COUNT,
    messages=_MESSAGES,
    system=_TEXT,
    stream={"type": "boolean"},
)
_FEEDBACK = _object(
    ("request_id",),
    request_id={"type": "string", "minLength": 1, "maxLength": 128},
    score={"type": "number", "minimum": 0, "maximum": 1},
    label={"type": "string", "minLength": 1},
    comment={"type": "string", "minLength": 1},
)
_DIALECT: JSONObject = {
    "name": "dialect",
    "in": "query",
    "required": False,
    "schema": {"enum": ["openai-chat", "openai-responses", "anthropic-messages"]},
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one route.

    Attributes:
        summary: what it answers.
        body: the JSON Schema of its request; None when it takes none.
        statuses: of its answers, errors that its caller can cause included.
        parameters: of its query.
        content_type: of its answer.
    """

    summary: str
    body: JSONObject | None = None
    statuses: tuple[int, ...] = (200,)
    parameters: tuple[JSONObject, ...] = ()
    content_type: str = "application/json"
    stream: bool = field(default=False)


_ASKED = (200, 400, 401, 403, 404, 408, 409, 413, 415, 422, 429)
_READ = (200, 400, 401, 403, 404)

OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("POST", "/v1/chat/completions"): Operation("OpenAI Chat Completions", _CHAT, _ASKED, stream=True),
    ("POST", "/v1/responses"): Operation("OpenAI Responses", _RESPONSES, _ASKED, stream=True),
    ("GET", "/v1/responses"): Operation("Refuses WebSockets", statuses=(401, 405, 426)),
    ("POST", "/v1/messages"): Operation("Anthropic Messages", _CLAUDE, _ASKED, stream=True),
    ("POST", "/v1/messages/count_tokens"): Operation(
        "Input tokens of Messages", _object(("model", "messages"), model=_NAME, messages=_MESSAGES), _ASKED
    ),
    ("POST", "/v1/responses/input_tokens"): Operation("Input tokens of Responses", _RESPONSES, _ASKED),
    ("POST", "/v1/responses/compact"): Operation("Passed through", _RESPONSES, _ASKED),
    ("POST", "/v1/embeddings"): Operation(
        "Passed through; needs the name of one model", _object(("model", "input"), model=_NAME, input=_TEXT), _ASKED
    ),
    ("POST", "/v1/moderations"): Operation("Passed through", _object(("input",), input=_TEXT), _ASKED),
    ("POST", "/v1/completions"): Operation(
        "Passed through",
        _object(("model", "prompt"), model=_NAME, prompt=_TEXT, max_tokens=_COUNT),
        _ASKED,
        stream=True,
    ),
    ("GET", "/v1/responses/{id}"): Operation("A response, from the upstream that holds it", statuses=_READ),
    ("DELETE", "/v1/responses/{id}"): Operation("Deletes a response where it is held", statuses=_READ),
    ("GET", "/v1/responses/{id}/input_items"): Operation("What a response answered", statuses=_READ),
    ("POST", "/v1/responses/{id}/cancel"): Operation("Cancels a response where it is held", statuses=_READ),
    ("GET", "/v1/models"): Operation("Every name that `model` takes", statuses=_READ),
    ("GET", "/v1/models/{id}"): Operation("One of them", statuses=_READ),
    ("POST", "/v1/route"): Operation(
        "The decision without an answer; a request of any of the three protocols",
        {"oneOf": [_CHAT, _RESPONSES, _CLAUDE]},
        _ASKED,
        (_DIALECT,),
    ),
    ("POST", "/v1/feedback"): Operation("Takes what a user said of an answer", _FEEDBACK, (202, *_ASKED[1:])),
    ("GET", "/v1/decisions/{request_id}"): Operation("The record of a request", statuses=_READ),
    ("GET", "/healthz"): Operation("Alive"),
    ("GET", "/readyz"): Operation("Able to serve", statuses=(200, 503)),
    ("GET", "/metrics"): Operation("Prometheus", statuses=(200, 401, 403), content_type="text/plain"),
    ("GET", "/"): Operation("There is a gateway here"),
}


def openapi(version: str) -> JSONObject:
    """The document, OpenAPI 3.1.

    Args:
        version: of the package.
    """
    paths: dict[str, dict[str, Any]] = {}
    for (method, path), operation in OPERATIONS.items():
        paths.setdefault(path, {})[method.lower()] = _entry(path, operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Pointsman",
            "version": version,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://127.0.0.1:8484"}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "x-goog-api-key": {"type": "apiKey", "in": "header", "name": "x-goog-api-key"},
            }
        },
    }


def _entry(path: str, operation: Operation) -> JSONObject:
    answer: JSONObject = {operation.content_type: {}}
    if operation.stream:
        answer["text/event-stream"] = {}
    named = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    entry: JSONObject = {
        "summary": operation.summary,
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": _TEXT} for name in named),
            *operation.parameters,
        ],
        "responses": {
            str(status): {
                "description": "An error in the caller's protocol." if status >= 400 else operation.summary,
                "content": answer if status < 400 else {"application/json": {}},
            }
            for status in operation.statuses
        },
    }
    if access_to(pattern_of(path)) is not Access.OPEN:
        entry["security"] = [{"bearer": []}, {"x-api-key": []}, {"x-goog-api-key": []}]
    if operation.body is not None:
        entry["requestBody"] = {"required": True, "content": {"application/json": {"schema": operation.body}}}
    return entry


def pattern_of(path: str) -> str:
    """The route's pattern of a documented path; two share one, and are told apart by what follows the id."""
    return "/v1/responses/{id}{rest}" if path.startswith("/v1/responses/{id}/") else path
