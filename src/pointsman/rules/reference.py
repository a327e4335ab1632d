"""The page of the documentation on rules; its table of conditions is made from the conditions themselves."""

from __future__ import annotations

from importlib import resources

from pointsman.vocabulary import TaskKind

from .conditions import CONDITIONS
from .language import LANGUAGES, SCRIPTS

_PLACE_OF_CONDITIONS = "{conditions}"


def markdown() -> str:
    """The whole page, `docs/rules.md`, in Markdown."""
    page = resources.files("pointsman.rules").joinpath("reference.md").read_text(encoding="utf-8")
    return page.replace(_PLACE_OF_CONDITIONS, conditions())


def conditions() -> str:
    """The table of conditions, and the words that `task`, `language` and `script` know."""
    lines = ["| condition | expects | holds when | example |", "|---|---|---|---|"]
    for row in CONDITIONS.values():
        example = row.example.replace("|", "\\|")
        lines.append(f"| `{row.name}` | {row.expects} | {row.meaning} | `{row.name}: {example}` |")
    lines += [
        "| `all` | a list of mappings of conditions | every one of them holds | `all: [{turns: 1}, {no_code: true}]` |",
        "| `any` | a list of mappings of conditions | at least one holds | `any: [{task: code}, {has_code: true}]` |",
        "| `not` | a mapping of conditions | they do not all hold | `not: {language: [en]}` |",
        "",
        f"Task kinds: {', '.join(f'`{kind}`' for kind in TaskKind)}.",
        f"Languages: {', '.join(f'`{code}`' for code in LANGUAGES)}.",
        f"Scripts: {', '.join(f'`{script}`' for script in SCRIPTS)}.",
    ]
    return "\n".join(lines)
