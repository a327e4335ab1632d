"""Rules in order: the first enforced one that fires decides, every one tells what it saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import yaml

from pointsman.errors import ConfigError
from pointsman.vocabulary import Request, RuleOutcome, RulesResult

from .compile import check, compile_conditions
from .conditions import Test
from .measures import Measures

MAX_RULES = 500
MAX_FILE_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, ready to be tested."""

    name: str
    use: str
    """The tier or model that serves a request the rule fires on."""
    mode: str
    """"enforce", or "observe": reported and never deciding."""
    tests: tuple[Test, ...]

    def outcome(self, measures: Measures) -> RuleOutcome:
        """What the rule says: all conditions that held, or the first one that did not."""
        seen = []
        for test in self.tests:
            holds, why = test(measures)
            if not holds:
                return RuleOutcome(self.name, self.use, self.mode, False, why)
            seen.append(why)
        return RuleOutcome(self.name, self.use, self.mode, True, ", ".join(seen) if seen else "no conditions")


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules in the order they are tried. Immutable; safe to share between threads."""

    rules: tuple[Rule, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The rules' names, in order."""
        return tuple(rule.name for rule in self.rules)

    def evaluate(self, request: Request) -> RulesResult:
        """Every rule's outcome, and the first enforced rule that fired.

        Quantities are measured once per request, when a rule first needs them; time is linear in the input, and beyond
        20,000 characters constant.
        """
        measures = Measures(request)
        outcomes = tuple([rule.outcome(measures) for rule in self.rules])
        enforced = None
        for outcome in outcomes:
            if outcome.fired and outcome.mode == "enforce":
                enforced = outcome
                break
        return RulesResult(task_kind=measures.task_kind, enforced=enforced, outcomes=outcomes)


def parse(rules: Sequence[Mapping[str, object]], *, source: str = "rules") -> RuleSet:
    """The rule set these rules, as they stand in YAML, make.

    Args:
        rules: mappings with `name`, `when`, `use` and optionally `mode`.
        source: what error messages call the list, such as a file's path.

    Raises:
        ConfigError: something is wrong; the message holds every fault with its key path.
    """
    faults = [
        f"{source}[{at}]{'.' if path else ''}{path}: {what}"
        for at, rule in enumerate(rules)
        for path, what in check(rule)
    ]
    names: set[str] = set()
    for at, rule in enumerate(rules):
        name = rule.get("name") if isinstance(rule, Mapping) else None
        if isinstance(name, str):
            if name in names:
                faults.append(f'{source}[{at}].name: expected a name no other rule has, "{name}" is taken')
            names.add(name)
    if len(rules) > MAX_RULES:
        faults.append(f"{source}: expected at most {MAX_RULES} rules, there are {len(rules)}")
    if faults:
        raise ConfigError("\n".join(faults))
    return RuleSet(
        tuple(
            Rule(
                str(rule["name"]),
                str(rule["use"]),
                str(rule.get("mode", "enforce")),
                tuple(compile_conditions(rule["when"])),
            )
            for rule in rules
        )
    )


def load_file(path: Path | str) -> RuleSet:
    """The rule set of a YAML file: a list of rules, or a mapping with a list under `rules`.

    Raises:
        ConfigError: the file cannot be read or is wrong.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError(f"{path}: expected a file of at most {MAX_FILE_BYTES:,} bytes")
    return parse(_read_yaml(content, str(path)), source=str(path))


def load_builtin() -> RuleSet:
    """The rule set shipped with the package, see `builtin.yaml`; it names the tiers `cheap` and `strong`."""
    return parse(_read_yaml(builtin_yaml().encode(), "builtin.yaml"), source="builtin.yaml")


def builtin_yaml() -> str:
    """The text of the shipped rule set, comments included: a file for a user to start from."""
    return resources.files("pointsman.rules").joinpath("builtin.yaml").read_text(encoding="utf-8")


def _read_yaml(content: bytes, source: str) -> list[Mapping[str, object]]:
    try:
        document = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f", line {mark.line + 1}"
        problem = getattr(error, "problem", None)
        raise ConfigError(f"{source}{where}: not valid YAML{'' if problem is None else f': {problem}'}") from error
    rules = document.get("rules") if isinstance(document, dict) else document
    if not isinstance(rules, list):
        raise ConfigError(f"{source}: expected a list of rules, or a mapping with a list under rules")
    return rules
