"""From `pointsman.yaml` to the parts of a router: each part is made by its own stage, here they meet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from . import config, features, rules, score
from .catalog import build_model
from .config import LoadedSettings
from .decide import FixedPolicy, Policy, RandomPolicy, RulesPolicy, ThresholdPolicy
from .errors import ConfigError
from .rules import RuleSet
from .vocabulary import DialPoint, Ledger, Model, Scorer, Tier, Transport
from .wire import build_request

EXAMPLE = "the example tiers of `pointsman demo`"


@dataclass(frozen=True, slots=True)
class Parts:
    """What a router is made of, before anything is opened."""

    settings: LoadedSettings
    models: Mapping[str, Model]
    tiers: tuple[Tier, ...]
    policies: Mapping[str, Policy]
    baseline: Model
    rules: RuleSet | None
    scorer: Scorer | None
    example: bool

    def for_router(self) -> dict[str, Any]:
        """Keyword arguments of `Router`, transport and ledger left out."""
        return {
            "tiers": self.tiers,
            "models": self.models,
            "policies": self.policies,
            "default_policy": self.settings.default_policy,
            "baseline": self.baseline,
            "rules": self.rules,
            "scorer": self.scorer,
            "store_prompts": self.settings.ledger.store_prompts,
            "example_config": self.example,
        }


def from_config(
    source: Path | str | Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    rules_file: Path | None = None,
    example_when_missing: bool = False,
) -> Parts:
    """The parts that a file, a mapping of the same form, or (None) the `pointsman.yaml` found here describes.

    Raises:
        ConfigError: something in it is wrong; all faults are named at once.
        ArtifactError: its router artifact cannot be used.
    """
    settings, example = _settings(source, environ, example_when_missing)
    models = {entry.name: build_model(**entry.plain()) for entry in settings.models}
    tiers = tuple(Tier(tier.name, tier.models) for tier in settings.tiers)
    scorer = _scorer(settings) if any(p.kind == "threshold" for p in settings.policies.values()) else None
    dial = () if scorer is None else scorer.dial
    return Parts(
        settings=settings,
        models=models,
        tiers=tiers,
        policies={name: _policy(name, entry, dial) for name, entry in settings.policies.items()},
        baseline=_baseline(settings, models, tiers),
        rules=_rules(settings, tiers, models, rules_file),
        scorer=scorer,
        example=example,
    )


def open_transport(parts: Parts) -> Transport:
    """The transport for these models: HTTP, and the simulator for simulated ones."""
    from .call.http import HttpTransport
    from .call.sim import ModelTransport, SimTransport

    limit = parts.settings.limits.max_answer_bytes
    return ModelTransport(http=lambda: HttpTransport(max_answer_bytes=limit), sim=SimTransport())


def open_ledger(parts: Parts, *, url: str | None = None) -> Ledger:
    """The configured ledger, opened and migrated.

    Raises:
        LedgerError: it cannot be opened.
    """
    from .record import open_ledger as open_at

    settings = parts.settings.ledger
    return open_at(
        settings.url.get_secret_value() if url is None else url,
        store_prompts=settings.store_prompts,
        flush_ms=settings.flush_ms,
    )


def check_rule(when: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """What is wrong with a rule's conditions, as `config.load` wants it: (path inside `when`, message)."""
    for path, message in rules.check({"name": "-", "use": "-", "when": when}):
        yield path.removeprefix("when").removeprefix("."), message


def _settings(
    source: Path | str | Mapping[str, Any] | None, environ: Mapping[str, str] | None, example_when_missing: bool
) -> tuple[LoadedSettings, bool]:
    if isinstance(source, Mapping):
        import yaml

        text = yaml.safe_dump(dict(source), allow_unicode=True, sort_keys=False)
        return config.loads(text, source="configuration", environ=environ, check_rule=check_rule), False
    if source is None and example_when_missing:
        import os

        try:
            source = config.find_file(None, os.environ if environ is None else environ)
        except ConfigError:
            return config.loads(example_yaml(), source=EXAMPLE, environ={}, check_rule=check_rule), True
    return config.load(source, environ=environ, check_rule=check_rule), False


def example_yaml() -> str:
    """The configuration of the demo: simulated models at real list prices, the bundled rules and router."""
    return resources.files("pointsman").joinpath("demo", "pointsman.yaml").read_text(encoding="utf-8")


def _policy(name: str, entry: config.PolicySettings, dial: tuple[DialPoint, ...]) -> Policy:
    match entry:
        case config.FixedPolicy():
            use = entry.tier if entry.model is None else entry.model
            assert use is not None, "the configuration checks that one of them is given"
            return FixedPolicy(name, use)
        case config.RulesPolicy():
            return RulesPolicy(name, entry.otherwise)
        case config.ThresholdPolicy():
            return ThresholdPolicy(
                name,
                max_quality_loss=entry.max_quality_loss,
                threshold=entry.threshold,
                strong_share=entry.strong_share,
                dial=dial,
            )
        case config.RandomPolicy():
            return RandomPolicy(name, entry.strong_share, 0 if entry.seed is None else entry.seed)


def _baseline(settings: LoadedSettings, models: Mapping[str, Model], tiers: tuple[Tier, ...]) -> Model:
    for tier in tiers:
        if tier.name == settings.baseline:
            return models[tier.models[0]]
    return models[settings.baseline]


def _rules(
    settings: LoadedSettings, tiers: tuple[Tier, ...], models: Mapping[str, Model], file: Path | None
) -> RuleSet | None:
    if file is not None:
        found, source = rules.load_file(file), str(file)
    elif settings.rules == "builtin":
        found, source = rules.load_builtin(), "the built-in rules"
    elif isinstance(settings.rules, config.RulesFile):
        path = settings.file_path(settings.rules.file)
        found, source = rules.load_file(path), str(path)
    else:
        mappings = settings.rule_mappings()
        found, source = rules.parse(mappings), settings.source
    known = {tier.name for tier in tiers} | set(models)
    for rule in found.rules:
        if rule.use not in known:
            raise ConfigError(
                f"{source}: rule {rule.name!r} uses {rule.use!r}, which is no tier or model; "
                f"expected one of {', '.join(sorted(known))}"
            )
    # Without a rule to ask, the kind of task would be recognised for nothing: a fifth of a decision's time.
    return found if found.rules else None


def _scorer(settings: LoadedSettings) -> Scorer:
    spec = settings.router.artifact
    folder = spec if spec == "builtin" else str(settings.file_path(spec))
    encoder = features.open_encoder("static" if settings.router.encoder is None else settings.router.encoder)
    router = score.load(
        folder,
        feature_version=features.FEATURE_VERSION,
        feature_names=tuple(feature.name for feature in features.FEATURES),
        encoder_id=encoder.id,
        encoder_dim=encoder.dim,
    )
    scorer = score.CompositeScorer(
        extract=features.extract,
        extract_batch=features.extract_batch,
        encoder=encoder,
        router=router,
        text_of=features.text_of,
    )
    # The embedding is read from disk at its first use, 60 ms or more; the first request should not wait for that.
    scorer.score(build_request(prompt="What is the capital of Portugal?"))
    return scorer
