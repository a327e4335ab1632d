"""The published schema and the generated page say what the loader does."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
import yaml

from pointsman import config
from pointsman.config.example import EXAMPLE
from pointsman.config.reference import markdown
from pointsman.errors import ConfigError

SCHEMA = config.json_schema()


def valid(text: str) -> bool:
    """Whether the schema takes the file."""
    return jsonschema.Draft202012Validator(SCHEMA).is_valid(yaml.safe_load(text))


def test_the_schema_is_a_schema_and_takes_the_example() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(yaml.safe_load(EXAMPLE), SCHEMA)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("provider: anthropic", "provider: antropic"),
        ("name: haiku ", "nam: haiku "),
        ("max_quality_loss: 0.01", "max_quality_loss: 1.01"),
        ("kind: threshold", "kind: cascade"),
        ("port: 8484", "port: 70000"),
        ("baseline: strong", "sesion: {}"),
        ("baseline: strong", "redis: {url: x}"),
        ("models: [haiku]", "models: []"),
        ("mode: enforce", "mode: maybe"),
        ("provider: anthropic\n", "provider: anthropic\n    timeout_s: -1\n"),
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(old: str, new: str) -> None:
    text = EXAMPLE.replace(old, new, 1)
    assert text != EXAMPLE
    assert not valid(text)
    with pytest.raises(ConfigError):
        config.loads(text, environ={"ANTHROPIC_API_KEY": "k", "OPENAI_API_KEY": "k"})


def properties(node: Any) -> set[str]:
    """Every key that the schema names, at any depth."""
    found: set[str] = set()
    if isinstance(node, dict):
        found |= set(node.get("properties", {}))
        for value in node.values():
            found |= properties(value)
    elif isinstance(node, list):
        for value in node:
            found |= properties(value)
    return found


def test_every_key_of_the_schema_stands_on_the_page_with_a_meaning() -> None:
    page = markdown()
    for key in properties(SCHEMA):
        assert f"`{key}`" in page, key
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) > 60
    for row in rows:
        meaning = row.rstrip(" |").rpartition("|")[2].strip()
        assert meaning or row.startswith("| `kind`"), row


def test_the_page_holds_the_example_and_no_secret_default() -> None:
    page = markdown()
    assert EXAMPLE.strip() in page
    assert "*****" not in page
    assert page.count("`sqlite:///pointsman.db`") == 1
