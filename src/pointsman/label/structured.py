"""The JSON scorer: valid JSON, and by JSON Schema where one is given.

Schemas are checked by the `jsonschema` package (Draft 2020-12 unless the schema says another), an optional dependency:
the specification has enough corners (`unevaluatedProperties`, `$dynamicRef`, formats) that a validator of our own would
be wrong somewhere, and a wrong score is worse than an install.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson

from pointsman.errors import DataError

from .tasks import Task

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

_FENCED = re.compile(r"```(?:json[c5]?|javascript)?[ \t]*\n(.*?)```", re.DOTALL | re.IGNORECASE)


class JsonScorer:
    """1 when the answer is JSON (in a fenced block, or all of it) that keeps the task's schema, else the given one.

    Raises:
        DataError: the schema is none, or `jsonschema` is not installed.
    """

    def __init__(self, schema: Mapping[str, Any] | bool | None = None) -> None:
        self._given = schema
        if schema is not None:
            _validator(orjson.dumps(schema))

    @property
    def name(self) -> str:
        """See `AnswerScorer.name`."""
        return "json" if self._given is None else "json with a schema"

    def score(self, answer: str, task: Task) -> float:
        """See `AnswerScorer.score`; never NaN, since being JSON needs no reference.

        Raises:
            DataError: the task's schema is none.
        """
        schema = self._given if task.schema is None else task.schema
        value = _json_in(answer)
        if value is _NOTHING:
            return 0.0
        if schema is None:
            return 1.0
        return float(_validator(orjson.dumps(schema)).is_valid(value))


_NOTHING = object()


def _json_in(answer: str) -> Any:
    blocks = _FENCED.findall(answer)
    for text in (*reversed(blocks), answer):
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            continue
    return _NOTHING


@cache
def _validator(schema_json: bytes) -> Validator:
    try:
        from jsonschema import exceptions
        from jsonschema.validators import Draft202012Validator, validator_for
        from referencing import Registry
    except ImportError as error:
        raise DataError("checking a JSON Schema needs the extra: pip install 'pointsman[train]'") from error
    schema = orjson.loads(schema_json)
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except exceptions.SchemaError as error:
        raise DataError(f"the JSON Schema is not valid: {error.message[:200]}") from error
    # An empty registry: a `$ref` to an address is never fetched.
    made: Validator = kind(schema, registry=Registry())
    return made
