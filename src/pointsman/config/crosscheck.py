"""What no single section can see: names that must exist or be unique, keys that belong together.

Reads the plain document, so that these faults are told along with the faults of single values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pointsman.vocabulary import ADMIN_NAME

from .document import Document
from .faults import Fault, Path, parse_path
from .settings import CascadePolicy, CascadeRoutingPolicy, FixedPolicy, LlmClassifierPolicy, ThresholdPolicy
from .wording import suggestion

_NEED_TWO_TIERS = ("threshold", "llm_classifier", "random", "cascade", "cascade_routing")


def cross_faults(
    document: Document,
    check_rule: Callable[[Mapping[str, Any]], Iterable[tuple[str, str]]] | None,
) -> list[Fault]:
    """Every fault between sections. Values of a wrong type are passed over: they have a fault of their own."""
    data = document.data
    if not isinstance(data, Mapping):
        return []
    check = _Check(document)
    check.models(data.get("models"))
    check.tiers(data.get("tiers"))
    check.policies(data.get("policies"))
    check.cascade(data.get("cascade"))
    check.references(data)
    check.rules(data.get("rules"), check_rule)
    check.keys(data.get("keys"))
    check.shadow(data.get("shadow"))
    return check.faults


class _Check:
    """One pass over one document; `faults` fills up."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.faults: list[Fault] = []
        self._models: dict[str, int] = {}
        self._tiers: dict[str, int] = {}
        self._policies: list[str] = []

    def _fault(self, path: Path, message: str, advice: str) -> None:
        self.faults.append(Fault(path, self._document.line(path), message, advice))

    def _unique(self, path: Path, name: object, seen: dict[str, int], what: str) -> None:
        if not isinstance(name, str):
            return
        if name in seen:
            self._fault(path, f"{what} `{name}` is named twice, first in entry {seen[name]}", "rename one")
        else:
            index = path[1]
            assert isinstance(index, int)
            seen[name] = index

    def _known(self, path: Path, name: object, known: Iterable[str], what: str) -> None:
        names = list(known)
        if isinstance(name, str) and name not in names:
            self._fault(path, f"there is no {what} named `{name}`", suggestion(name, names))

    def _each_known(self, path: Path, names: object, known: Iterable[str], what: str) -> None:
        for place, name in enumerate(names if isinstance(names, list) else []):
            self._known((*path, place), name, known, what)

    def models(self, value: object) -> None:
        for index, model in _entries(value):
            self._unique(("models", index, "name"), model.get("name"), self._models, "a model")
            simulated = model.get("provider") == "sim"
            if "provider" in model and not simulated:
                if "model" not in model:
                    self._fault(("models", index), "`model` is missing", "add `model:`, the provider's name for it")
                if "simulate" in model:
                    self._fault(
                        ("models", index, "simulate"), "only for `provider: sim`", "remove it, or set `provider: sim`"
                    )
            if simulated and "base_url" in model:
                self._fault(("models", index, "base_url"), "a simulated model has no address", "remove it")
            if "api_version" in model and model.get("provider") != "azure":
                self._fault(("models", index, "api_version"), "only for `provider: azure`", "remove it")

    def tiers(self, value: object) -> None:
        held: dict[str, int] = {}
        for index, tier in _entries(value):
            name = tier.get("name")
            self._unique(("tiers", index, "name"), name, self._tiers, "a tier")
            if isinstance(name, str) and name in self._models:
                self._fault(
                    ("tiers", index, "name"), f"`{name}` is a model's name too", "rename one, so that `use` is clear"
                )
            models = tier.get("models")
            for place, model in enumerate(models if isinstance(models, list) else []):
                path: Path = ("tiers", index, "models", place)
                self._known(path, model, self._models, "model")
                if isinstance(model, str) and held.setdefault(model, index) != index:
                    self._fault(path, f"`{model}` is in tier {held[model]} already", "keep it in one tier")

    def policies(self, value: object) -> None:
        if not isinstance(value, Mapping):
            self._policies = ["auto"] if value is None else []
            return
        if not value:
            self._fault(("policies",), "no policy is given", "remove `policies:` for the default, or add one")
        self._policies = list(value)
        for name, policy in value.items():
            if not isinstance(policy, Mapping):
                continue
            path: Path = ("policies", name)
            kind = policy.get("kind")
            if kind == "fixed":
                self._one_of(path, policy, FixedPolicy.one_of)
                self._known((*path, "model"), policy.get("model"), self._models, "model")
                self._known((*path, "tier"), policy.get("tier"), self._tiers, "tier")
            elif kind == "rules":
                self._known((*path, "otherwise"), policy.get("otherwise"), self._tiers, "tier")
            elif kind == "threshold":
                self._one_of(path, policy, ThresholdPolicy.one_of)
            elif kind == "llm_classifier":
                self._one_of(path, policy, LlmClassifierPolicy.one_of)
                self._known((*path, "model"), policy.get("model"), self._models, "model")
                self._not_ours((*path, "parameters"), policy.get("parameters"), LlmClassifierPolicy.ours)
            elif kind == "cascade":
                self._one_of(path, policy, CascadePolicy.one_of)
                self._accepts(path, policy.get("accept_by_tier"))
            elif kind == "cascade_routing":
                self._one_of(path, policy, CascadeRoutingPolicy.one_of)
            if kind in _NEED_TWO_TIERS and len(self._tiers) == 1:
                self._fault(path, f"a {kind} policy needs two tiers, there is one", "add a tier, or use `kind: fixed`")

    def _accepts(self, path: Path, by_tier: object) -> None:
        """Thresholds by tier: of known tiers, and of one that has a stronger one above it."""
        if not isinstance(by_tier, Mapping):
            return
        path = (*path, "accept_by_tier")
        for tier in by_tier:
            self._known((*path, str(tier)), tier, self._tiers, "tier")
        judged = list(self._tiers)[:-1]
        if len(self._tiers) > 1 and by_tier and all(tier in self._tiers and tier not in judged for tier in by_tier):
            self._fault(path, "names no tier but the last, which is never judged", f"add one of {', '.join(judged)}")

    def _one_of(self, path: Path, policy: Mapping[str, Any], keys: Sequence[str]) -> None:
        given = [key for key in keys if policy.get(key) is not None]
        if len(given) != 1:
            came = " and ".join(given) if given else "none"
            self._fault(path, f"expected exactly one of {', '.join(keys)}, got {came}", "keep one of them")

    def _not_ours(self, path: Path, parameters: object, ours: Iterable[str]) -> None:
        for key in parameters if isinstance(parameters, Mapping) else ():
            if key in ours:
                self._fault((*path, str(key)), "is set by Pointsman, or by a key of its own", "remove it")

    def cascade(self, value: object) -> None:
        """The judge that is asked: a known model, a range that holds something, none of our own parameters."""
        asked = value.get("judge") if isinstance(value, Mapping) else None
        if not isinstance(asked, Mapping):
            return
        path: Path = ("cascade", "judge")
        self._known((*path, "model"), asked.get("model"), self._models, "model")
        self._not_ours((*path, "parameters"), asked.get("parameters"), LlmClassifierPolicy.ours)
        between = asked.get("ask_between")
        if isinstance(between, list) and len(between) == 2 and not between[0] < between[1]:
            self._fault((*path, "ask_between"), f"no P(good) is in {between}", "give the lower end first")

    def references(self, data: Mapping[str, Any]) -> None:
        targets = [*self._tiers, *self._models]
        self._known(("baseline",), data.get("baseline"), targets, "tier or model")
        default = data.get("default_policy")
        self._known(("default_policy",), default, self._policies, "policy")
        if default is None and len(self._policies) > 1 and "auto" not in self._policies:
            self._fault(
                ("default_policy",), "missing, and no policy is named auto", f"add one of {', '.join(self._policies)}"
            )

    def rules(
        self,
        value: object,
        check_rule: Callable[[Mapping[str, Any]], Iterable[tuple[str, str]]] | None,
    ) -> None:
        names: dict[str, int] = {}
        for index, rule in _entries(value):
            self._unique(("rules", index, "name"), rule.get("name"), names, "a rule")
            self._known(("rules", index, "use"), rule.get("use"), [*self._tiers, *self._models], "tier or model")
            when = rule.get("when")
            if check_rule is None or not isinstance(when, Mapping):
                continue
            for inside, message in check_rule(when):
                self._fault(("rules", index, "when", *parse_path(inside)), message, "see the page on rules")

    def keys(self, value: object) -> None:
        if not isinstance(value, Mapping):
            return
        names: dict[str, int] = {}
        keys: dict[str, Path] = {}
        admin = value.get("admin_key")
        if isinstance(admin, str):
            keys[admin] = ("keys", "admin_key")
        for index, client in _entries(value.get("clients")):
            name, key = client.get("name"), client.get("key")
            path: Path = ("keys", "clients", index)
            if isinstance(name, str) and names.setdefault(name, index) != index:
                self._fault((*path, "name"), f"a client `{name}` is named twice", "rename one")
            if name == ADMIN_NAME:
                self._fault((*path, "name"), f"`{name}` is the name of the admin key in records", "choose another")
            self._each_known((*path, "models"), client.get("models"), self._models, "model")
            self._each_known((*path, "policies"), client.get("policies"), self._policies, "policy")
            if isinstance(key, str) and keys.setdefault(key, (*path, "key")) != (*path, "key"):
                self._fault((*path, "key"), "the same key is given twice", "give each its own")

    def shadow(self, value: object) -> None:
        if isinstance(value, Mapping):
            self._known(("shadow", "judge"), value.get("judge"), self._models, "model")


def _entries(value: object) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The mappings of a list, with their places; nothing when it is no list."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, Mapping):
                yield index, item
