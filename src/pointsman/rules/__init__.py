"""The user's heuristics: a documented condition language, first match wins, each rule enforced or only observed.

Examples:
    >>> rules = parse([{"name": "short faq", "when": {"max_prompt_tokens": 60, "turns": 1}, "use": "cheap"}])
    >>> rules.names
    ('short faq',)
"""

from __future__ import annotations

from . import reference
from .compile import check
from .rule_set import Rule, RuleSet, builtin_yaml, load_builtin, load_file, parse
from .task_kind import recognise

__all__ = ["Rule", "RuleSet", "builtin_yaml", "check", "load_builtin", "load_file", "parse", "recognise", "reference"]
