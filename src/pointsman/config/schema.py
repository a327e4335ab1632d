"""The JSON Schema of `pointsman.yaml`, for editors and for the generated documentation."""

from __future__ import annotations

import json
from typing import Any

from .settings import Settings

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The schema, draft 2020-12, of the file after `${VAR}` is filled in."""
    schema = Settings.model_json_schema(mode="validation")
    return {"$schema": SCHEMA_DIALECT, "title": "pointsman.yaml", **{k: v for k, v in schema.items() if k != "title"}}


def json_schema_text() -> str:
    """The published file `docs/pointsman.schema.json`: the schema, indented, with a final newline."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
