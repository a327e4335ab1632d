"""From `pointsman.yaml` to the parts of a router: each part is made by its own stage, here they meet."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import config, features, judge, rules, score
from .asking import check_classifier
from .cascade import Judges
from .catalog import build_model
from .classify import ClassifierSettings
from .config import LoadedSettings
from .decide import (
    CascadePolicy,
    FixedPolicy,
    LlmClassifierPolicy,
    PlannedCascade,
    Policy,
    RandomPolicy,
    RulesPolicy,
    ThresholdPolicy,
)
from .errors import ConfigError, DataError, LedgerAway
from .judging import ModelJudge, ModelJudgeSettings
from .limit import MemoryLimits, Window, merged, window_start
from .router_artifact import OpenedRouter, artifact_folder, open_router, read_features
from .rules import RuleSet
from .session import SessionRules
from .staging import is_address
from .vocabulary import (
    ADMIN_NAME,
    CascadeMode,
    Clock,
    DialPoint,
    KeyTerms,
    Ledger,
    Model,
    Scorer,
    Tier,
    Traces,
    Transport,
    WallClock,
)
from .watch import Reference
from .wire import build_request

if TYPE_CHECKING:
    from . import tune
    from .call.breaker import BreakerPolicy
    from .call.health import Health
    from .call.retry import RetryPolicy
    from .record import KeyStore, SqlLedger
    from .shadowing import Shadowing, ShadowPlan
    from .sharing import Sharing
    from .watching import Watching, WatchPlan

EXAMPLE = "the example tiers of `pointsman demo`"

_FROM_FILE = (
    config.ThresholdPolicy,
    config.LlmClassifierPolicy,
    config.CascadePolicy,
    config.CascadeRoutingPolicy,
)
"""Policies that may be what `pointsman tune` wrote."""

_SCORED = frozenset({"threshold", "llm_classifier", "cascade", "cascade_routing"})
"""Policies that ask for a score."""


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
    classifiers: Mapping[str, ClassifierSettings]
    """By the name of their policy."""
    judges: Judges
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
            "classifiers": self.classifiers,
            "max_score_s": self.settings.router.max_score_ms / 1e3,
            "judges": self.judges,
            "session_rules": SessionRules(**self.settings.session.model_dump()),
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
    scored = any(policy.kind in _SCORED for policy in settings.policies.values())
    opened = _opened(settings) if scored else None
    _check_shadow(settings, models, tiers)
    scorer = None if opened is None else _scorer(settings, opened)
    answers = _answer_judge(settings, opened)
    policies = {name: _policy(name, entry, settings, opened, answers) for name, entry in settings.policies.items()}
    return Parts(
        settings=settings,
        models=models,
        tiers=tiers,
        policies=policies,
        baseline=_baseline(settings, models, tiers),
        rules=_rules(settings, tiers, models, rules_file),
        scorer=scorer,
        classifiers={
            name: _classifier(settings, name, entry, models)
            for name, entry in settings.policies.items()
            if isinstance(entry, config.LlmClassifierPolicy)
        },
        judges=_judges(settings, answers, policies, models),
        example=example,
    )


def open_transport(parts: Parts) -> Transport:
    """The transport for these models: HTTP, and the simulator for simulated ones."""
    return transport_of(parts.settings.limits.max_answer_bytes)


def transport_of(max_answer_bytes: int) -> Transport:
    """A transport for any models, whose answers are no longer than this."""
    from .call.http import HttpTransport
    from .call.sim import ModelTransport, SimTransport

    return ModelTransport(http=lambda: HttpTransport(max_answer_bytes=max_answer_bytes), sim=SimTransport())


def health(parts: Parts) -> Health:
    """What is known of the models' health before the first call, with the configured rules."""
    from .call.health import Health

    return Health(retry_policy(parts.settings), breaker_policy(parts.settings))


def open_traces(parts: Parts) -> Traces | None:
    """Where traces go; None when nothing is configured, and then nothing of OpenTelemetry is loaded.

    Raises:
        ConfigError: the extra `otel` is not installed.
    """
    settings = parts.settings.otel
    if settings.traces_url is None:
        return None
    from .trace import open_traces as open_at

    return open_at(
        settings.traces_url,
        headers={name: value.get_secret_value() for name, value in settings.headers.items()},
        service_name=settings.service_name,
        sample_share=settings.sample_share,
        timeout_s=settings.timeout_s,
    )


def retry_policy(settings: LoadedSettings) -> RetryPolicy:
    """The configured rules for trying again."""
    from .call.retry import RetryPolicy

    return RetryPolicy(**settings.retry.model_dump())


def breaker_policy(settings: LoadedSettings) -> BreakerPolicy:
    """The configured rules for leaving a model alone."""
    from .call.breaker import BreakerPolicy

    return BreakerPolicy(**settings.breaker.model_dump())


def watched_files(settings: LoadedSettings) -> tuple[Path, ...]:
    """The files that the configuration is made of, beside its own: rules, tuned policies, all of the router artifact.

    A folder is given by its files, so that a change of each is seen; what is not there is left out.
    """
    paths = [
        settings.file_path(policy.file)
        for policy in settings.policies.values()
        if isinstance(policy, _FROM_FILE) and policy.file is not None
    ]
    if isinstance(settings.rules, config.RulesFile):
        paths.append(settings.file_path(settings.rules.file))
    if settings.router.artifact != score.BUILTIN:
        artifact = _artifact(settings)
        paths += [artifact_folder(artifact), *([artifact] if isinstance(artifact, Path) else [])]
    files: list[Path] = []
    for path in dict.fromkeys(paths):
        files += sorted(path.iterdir()) if path.is_dir() else [path]
    return tuple(files)


def open_ledger(parts: Parts, *, url: str | None = None) -> SqlLedger:
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
        spool=Path(settings.spool).expanduser(),
        max_spool_bytes=settings.max_spool_bytes,
        keep_days=settings.keep_days,
    )


def open_keys(parts: Parts, *, url: str | None = None) -> KeyStore:
    """Where virtual keys are kept: in the configured ledger's database, made and migrated unless its server is away.

    Raises:
        LedgerError: it cannot be opened.
    """
    from .record import KeyStore, database_of, prepare_database

    database = database_of(parts.settings.ledger.url.get_secret_value() if url is None else url)
    with suppress(LedgerAway):  # whoever reads the keys is told again
        prepare_database(database)
    return KeyStore(database)


def open_limits(
    parts: Parts,
    ledger: SqlLedger | None,
    *,
    virtual: Callable[[str], KeyTerms | None] = lambda _: None,
    virtual_budgets: bool = False,
    clock: Clock = time.monotonic,
    now: WallClock = lambda: datetime.now(UTC),
) -> MemoryLimits:
    """The configured rates and budgets, with what is spent already.

    Args:
        ledger: tells what was spent before; None means nothing.
        virtual: terms of a virtual key by its name.
        virtual_budgets: some virtual key has a budget.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    terms, budget = key_terms(parts.settings, virtual), total_budget(parts.settings)
    limits = MemoryLimits(terms, budget=budget, clock=clock, now=now)
    asked = spending(parts, ledger, virtual_budgets=virtual_budgets, now=now)
    for window, by_key in ({} if asked is None else asked()).items():
        limits.restore(window, by_key)
    return limits


def open_sharing(
    parts: Parts,
    local: MemoryLimits,
    *,
    health: Health,
    spending: Callable[[], Mapping[Window, Mapping[str | None, float]]] | None,
    clock: Clock = time.perf_counter,
    now: WallClock = lambda: datetime.now(UTC),
) -> Sharing | None:
    """What this process shares with other replicas; None where no Redis is configured, and nothing of it is loaded.

    Args:
        local: follows what this process does; decides alone while Redis is away.
        spending: what each key has spent, as the ledger knows it; None where no budget is in force.
        clock: the router's.

    Raises:
        ConfigError: the extra `redis` is not installed.
    """
    settings = parts.settings.redis
    if settings.url is None:
        return None
    from .shared import open_store
    from .sharing import SharedLimits, Sharing

    url, closed = settings.url.get_secret_value(), settings.on_failure == "closed"
    store = open_store(
        url, timeout_s=settings.timeout_ms / 1e3, prefix=settings.prefix, clock=clock, random=random.random
    )
    limits = SharedLimits(store, local, closed=closed, spending=spending, clock=clock, now=now)
    return Sharing(store, limits, health=health, closed=closed, clock=clock)


def spending(
    parts: Parts,
    ledger: SqlLedger | None,
    *,
    virtual_budgets: bool = False,
    now: WallClock = lambda: datetime.now(UTC),
) -> Callable[[], dict[Window, dict[str | None, float]]] | None:
    """Asks the ledger what each key spent in the present month and day, USD; None where there is no budget to keep.

    Without a budget the ledger is not asked: to add up a month takes seconds where it has a million records.
    """
    if ledger is None or not (virtual_budgets or _any_budget(parts.settings)):
        return None

    def asked() -> dict[Window, dict[str | None, float]]:
        at = now()
        month, day = ledger.reader.spending(window_start(Window.MONTH, at), lately=window_start(Window.DAY, at))
        return {Window.MONTH: month, Window.DAY: day}

    return asked


def on_record(
    parts: Parts, ledger: SqlLedger, *, limits: MemoryLimits, watch: Watching, before: datetime
) -> Callable[[], None]:
    """What a process that began without its ledger did not know, read now; calling it puts it to use.

    Args:
        before: when the process began; what it has spent since it has counted itself.

    Raises:
        LedgerError: it cannot be read.
    """
    at = datetime.now(UTC)
    month_start, day_start = window_start(Window.MONTH, at), window_start(Window.DAY, at)
    month, day = ledger.reader.spending(month_start, lately=day_start, until=before)
    watches = watch.prepare(watch_plans(parts))

    def use() -> None:
        limits.restore(Window.MONTH, month)
        limits.restore(Window.DAY, day)
        watch.take_over(watches)

    return use


def shadow_plan(parts: Parts) -> ShadowPlan:
    """The configured comparisons with the strong tier."""
    from .shadowing import ShadowPlan

    settings = parts.settings.shadow
    return ShadowPlan(
        share=settings.share,
        max_usd_per_day=settings.max_usd_per_day,
        tiers=parts.tiers,
        models=parts.models,
        judge=None if settings.judge is None else parts.models[settings.judge],
        fingerprints={name: _fingerprint(parts, name) for name in parts.policies},
        concurrency=settings.concurrency,
        max_queued=settings.max_queued,
        store_prompts=parts.settings.ledger.store_prompts,
    )


def open_shadow(
    parts: Parts,
    *,
    transport: Transport,
    ledger: Ledger,
    health: Health,
    watch: Watching,
    clock: Clock = time.monotonic,
    now: WallClock = lambda: datetime.now(UTC),
) -> Shadowing:
    """What compares a sample of answers with the strong tier's, with what that has cost today.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    from .record import SqlLedger
    from .shadowing import Shadowing

    plan = shadow_plan(parts)
    spent_usd = 0.0
    if plan.share > 0 and isinstance(ledger, SqlLedger):
        try:
            spent_usd = ledger.reader.shadow_spending(window_start(Window.DAY, now()))
        except LedgerAway:
            spent_usd = plan.max_usd_per_day  # not known, so taken for spent: comparisons begin tomorrow
    return Shadowing(
        plan,
        transport=transport,
        ledger=ledger,
        health=health,
        clock=clock,
        now=now,
        spent_usd=spent_usd,
        tell=watch.judged,
    )


def watch_plans(parts: Parts) -> dict[str, WatchPlan]:
    """What the configured policies promise, by name; none where nothing is compared.

    A policy that may not use a cheaper tier promises nothing that could be broken, and is watched all the same.
    """
    from .watching import WatchPlan

    settings = parts.settings.shadow
    if settings.share == 0 or len(parts.tiers) < 2:
        return {}
    prices = {
        name: (model.price.input_usd_per_mtok, model.price.output_usd_per_mtok)
        for name, model in parts.models.items()
        if model.price is not None
    }
    plans = {}
    for name in parts.policies:
        limit, reference = _promised(parts.settings, name)
        plans[name] = WatchPlan(
            policy=name,
            fingerprint=_fingerprint(parts, name),
            strongest=parts.tiers[-1].name,
            limit=limit if settings.max_quality_loss is None else settings.max_quality_loss,
            confidence=settings.confidence,
            on_alarm=settings.on_alarm,
            reference=reference,
            prices=prices,
        )
    return plans


def _promised(settings: LoadedSettings, name: str) -> tuple[float | None, Reference | None]:
    """A policy's limit of quality loss, and what its scores and acceptance were like when it was tuned, where known."""
    entry = settings.policies[name]
    if isinstance(entry, config.CascadePolicy | config.CascadeRoutingPolicy):
        if entry.file is None:
            return None, None
        from . import tune

        cascade = tune.read_cascade(settings.file_path(entry.file))
        if cascade.kind == "fixed":
            return cascade.promise.max_quality_loss, None
        accepted = 1.0 - cascade.expected.strong_share
        return cascade.promise.max_quality_loss, Reference((), (), accepted, cascade.sample.n_groups)
    if not isinstance(entry, config.ThresholdPolicy | config.LlmClassifierPolicy):
        return None, None
    if entry.file is None:
        return entry.max_quality_loss, None
    from . import tune

    tuned = tune.read_policy(settings.file_path(entry.file))
    reference = None
    if len(tuned.models) == 2 and tuned.kind == "threshold":
        # What stood to test is the distribution function of the scores: so many prompts were below each threshold.
        points = sorted({point.threshold: point.strong_share for point in tuned.curve}.items())
        reference = Reference(
            tuple(at for at, _ in points),
            tuple(below for _, below in points),
            1.0 - tuned.expected.strong_share,
            tuned.sample.n_groups,
        )
    return tuned.promise.max_quality_loss, reference


def open_watch(parts: Parts, *, ledger: Ledger, now: WallClock = lambda: datetime.now(UTC)) -> Watching:
    """What watches the configured policies, with what is on record of them.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    from .record import SqlLedger
    from .watching import Watching

    history = ledger.reader if isinstance(ledger, SqlLedger) else None
    try:
        return Watching(watch_plans(parts), ledger=ledger, history=history, now=now)
    except LedgerAway:
        # Nothing is watched until `on_record` has read what there is: a broken promise must not be taken for kept.
        return Watching({}, ledger=ledger, history=history, now=now)


def _fingerprint(parts: Parts, name: str) -> str:
    """Names a policy with all its promise hangs on: its settings or file, tiers, the providers' models, the router.

    The same after a restart, and whatever else changes in the configuration.
    """
    settings = parts.settings
    entry = settings.policies[name]
    file = getattr(entry, "file", None)
    artifact = settings.router.artifact
    card = None if artifact == score.BUILTIN else artifact_folder(_artifact(settings)) / "card.json"
    named = {
        "policy": entry.model_dump(mode="json", exclude_none=True),
        "file": None if file is None else _sha256(settings.file_path(file)),
        "tiers": [(tier.name, tier.models) for tier in parts.tiers],
        "models": {each: (model.provider, model.provider_model) for each, model in sorted(parts.models.items())},
        "router": None if parts.scorer is None else parts.scorer.router,
        "card": None if card is None or parts.scorer is None else _sha256(card),
    }
    return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:16]


def _sha256(file: Path) -> str:
    """Of a file that has been read before.

    Raises:
        ConfigError: it has gone since.
    """
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error


def _check_shadow(settings: LoadedSettings, models: Mapping[str, Model], tiers: tuple[Tier, ...]) -> None:
    """Nothing, when what comparisons cost can be told.

    Raises:
        ConfigError: the judge is simulated or has no price, or no strong model has one.
    """
    shadow = settings.shadow
    if shadow.share == 0:
        return
    line = settings.line_of("shadow")
    if shadow.judge is not None and (models[shadow.judge].simulated or models[shadow.judge].price is None):
        why = "is simulated" if models[shadow.judge].simulated else "has no price"
        raise ConfigError(
            f"{settings.source}:{line}: shadow.judge: {shadow.judge} {why}, so its verdicts are worth nothing or their "
            "cost cannot be capped; use another model, or give it a `price:`"
        )
    if all(models[name].price is None for name in tiers[-1].models):
        raise ConfigError(
            f"{settings.source}:{line}: shadow: no model of tier {tiers[-1].name} has a price, so the day's cap could "
            "not be kept; give one a `price:`"
        )


def _any_budget(settings: LoadedSettings) -> bool:
    amounts = [*settings.budgets.model_dump().values()]
    amounts += [usd for client in settings.keys.clients for usd in (client.usd_per_day, client.usd_per_month)]
    return any(amount is not None for amount in amounts)


def total_budget(settings: LoadedSettings) -> KeyTerms:
    """What all keys together may spend."""
    return KeyTerms(usd_per_day=settings.budgets.usd_per_day, usd_per_month=settings.budgets.usd_per_month)


def key_terms(
    settings: LoadedSettings, virtual: Callable[[str], KeyTerms | None] = lambda _: None
) -> Callable[[str | None], KeyTerms]:
    """What each key may do, by its name, with the configured defaults; None is the key of requests without one.

    The admin key has no limits of its own; only the budget of all keys holds for it.
    """
    defaults = KeyTerms(
        usd_per_day=settings.budgets.key_usd_per_day,
        usd_per_month=settings.budgets.key_usd_per_month,
        requests_per_min=settings.limits.key_requests_per_min,
        tokens_per_min=settings.limits.key_tokens_per_min,
        max_concurrent=settings.limits.key_max_concurrent,
    )
    fixed: dict[str | None, KeyTerms] = {None: defaults, ADMIN_NAME: KeyTerms()}
    for client in settings.keys.clients:
        fixed[client.name] = merged(KeyTerms(**client.terms()), defaults)
    made: dict[str, tuple[KeyTerms, KeyTerms]] = {}

    def terms(key: str | None) -> KeyTerms:
        known = fixed.get(key)
        if known is not None or key is None:
            return defaults if known is None else known
        own = virtual(key)
        if own is None:
            return defaults
        # Merged once for each version of a key's terms: this is asked several times for every request.
        before = made.get(key)
        if before is None or before[0] is not own:
            before = made[key] = (own, merged(own, defaults))
        return before[1]

    return terms


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


def _policy(
    name: str,
    entry: config.PolicySettings,
    settings: LoadedSettings,
    opened: OpenedRouter | None,
    answers: judge.TrainedJudge | None,
) -> Policy:
    match entry:
        case config.FixedPolicy():
            use = entry.tier if entry.model is None else entry.model
            assert use is not None, "the configuration checks that one of them is given"
            return FixedPolicy(name, use)
        case config.RulesPolicy():
            return RulesPolicy(name, entry.otherwise)
        case config.ThresholdPolicy():
            return _trained(name, entry, settings, opened)
        case config.LlmClassifierPolicy():
            return LlmClassifierPolicy(name, _trained(name, entry, settings, opened))
        case config.RandomPolicy():
            return RandomPolicy(name, entry.strong_share, 0 if entry.seed is None else entry.seed)
        case config.CascadePolicy() | config.CascadeRoutingPolicy() if entry.file is not None:
            assert opened is not None, "a cascade has a router"
            return _tuned_cascade(name, entry, settings.file_path(entry.file), settings, opened, answers)
        case config.CascadePolicy():
            by_tier = entry.accept_by_tier
            return _cascade(
                name,
                entry,
                settings,
                tuple(entry.accept if by_tier is None else by_tier.get(tier.name) for tier in settings.tiers),
            )
        case config.CascadeRoutingPolicy():
            accept_at = (entry.accept,) * len(settings.tiers)
            return _cascade(name, entry, settings, accept_at, quality_per_usd=entry.quality_per_usd)


def _cascade(
    name: str,
    entry: config.CascadePolicy | config.CascadeRoutingPolicy,
    settings: LoadedSettings,
    accept_at: tuple[float | None, ...],
    *,
    quality_per_usd: float | None = None,
) -> CascadePolicy:
    common = settings.cascade
    return CascadePolicy(
        name,
        accept_at=accept_at,
        skip_below=entry.skip_below,
        mode=CascadeMode(common.mode if entry.mode is None else entry.mode),
        race_below=common.race_below,
        early_tokens=common.early_tokens,
        quality_per_usd=quality_per_usd,
        max_latency_ms=common.max_latency_ms if entry.max_latency_ms is None else entry.max_latency_ms,
        kind=entry.kind,
    )


def _judges(
    settings: LoadedSettings,
    answers: judge.TrainedJudge | None,
    policies: Mapping[str, Policy],
    models: Mapping[str, Model],
) -> Judges:
    common = settings.cascade
    asked = None if common.judge is None else _asked_judge(settings, common.judge, models)
    return Judges(
        judge.FreeJudge() if answers is None else answers,
        ask_between=None if common.judge is None else common.judge.ask_between,
        # The judge's own limit ends first, and says more.
        asked_within_s=10.0 if asked is None else asked.timeout_s + 0.1,
        asked_over=None if asked is None else partial(ModelJudge, asked, text_of=features.text_of),
        when_judge_fails=common.when_judge_fails,
        late_rejection_is_error=common.late_rejection == "error",
        courses={name: policy.course for name, policy in policies.items() if isinstance(policy, PlannedCascade)},
    )


def _asked_judge(
    settings: LoadedSettings, entry: config.AskedJudgeSettings, models: Mapping[str, Model]
) -> ModelJudgeSettings:
    try:
        asked = ModelJudgeSettings(
            models[entry.model], entry.timeout_ms / 1e3, entry.max_output_tokens, entry.parameters
        )
        check_classifier(ClassifierSettings(asked.model, parameters=asked.parameters))
    except ConfigError as error:
        raise ConfigError(f"{settings.source}: cascade.judge: {error.message}") from error
    return asked


def _answer_judge(settings: LoadedSettings, opened: OpenedRouter | None) -> judge.TrainedJudge | None:
    """The artifact's scorer of answers, where it knows those of a configured model."""
    answers = None if opened is None else opened.router.answers
    if opened is None or answers is None:
        return None
    names = {
        model.name: known
        for model in settings.models
        for known in (model.model, model.name)
        if known is not None and known in answers.models
    }
    if not names:
        return None
    if opened.encoder is None:
        scorer = judge.AnswerScorer(answers.skill, extract=read_features, encode=None)
    else:
        reader = features.Reader(opened.encoder)
        scorer = judge.AnswerScorer(answers.skill, extract=reader.extract_texts, encode=reader.encode, look=reader.look)
    return judge.TrainedJudge(scorer, router=opened.router.router, names=names, text_of=features.text_of)


def _trained(
    name: str,
    entry: config.ThresholdPolicy | config.LlmClassifierPolicy,
    settings: LoadedSettings,
    opened: OpenedRouter | None,
) -> Policy:
    """The policy that asks the trained router, by the dial that is given."""
    assert opened is not None, "a threshold policy has a router"
    dial = opened.router.card.dial_points
    if entry.file is not None:
        return _tuned(name, settings.file_path(entry.file), settings, opened, dial)
    return ThresholdPolicy(
        name,
        max_quality_loss=entry.max_quality_loss,
        threshold=entry.threshold,
        strong_share=entry.strong_share,
        dial=dial,
    )


def _classifier(
    settings: LoadedSettings, name: str, entry: config.LlmClassifierPolicy, models: Mapping[str, Model]
) -> ClassifierSettings:
    classifier = ClassifierSettings(
        models[entry.model],
        timeout_s=entry.timeout_ms / 1e3,
        max_prompt_chars=entry.max_prompt_chars,
        cache_entries=entry.cache_entries,
        max_output_tokens=entry.max_output_tokens,
        instructions=entry.instructions,
        parameters=entry.parameters,
    )
    try:
        check_classifier(classifier)
    except ConfigError as error:
        line = settings.line_of("policies", name)
        raise ConfigError(f"{settings.source}:{line}: policies.{name}: {error.message}") from error
    return classifier


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


def _scorer(settings: LoadedSettings, opened: OpenedRouter) -> Scorer:
    models = {model.name: model for model in settings.models}
    # An artifact may know a model by the name it has here or by its provider's.
    tiers = [
        [name for model in tier.models for name in (model, models[model].model) if name is not None]
        for tier in settings.tiers
    ]
    # With an encoder of its own kind it looks at a text once for features and embedding.
    reader = None if opened.encoder is None else features.Reader(opened.encoder)
    scorer = score.CompositeScorer(
        look=features.look if reader is None else reader.look,
        extract=features.extract if reader is None else reader.extract,
        encoder=reader,
        router=opened.router,
        text_of=features.text_of,
        tiers=tiers,
    )
    # The embedding is read from disk at its first use, 60 ms or more; the first request should not wait for that.
    scorer.score(build_request(prompt="What is the capital of Portugal?"))
    return scorer


def _opened(settings: LoadedSettings) -> OpenedRouter:
    return open_router(_artifact(settings), encoder=settings.router.encoder)


def _artifact(settings: LoadedSettings) -> str | Path:
    """The artifact's name, path or address."""
    spec = settings.router.artifact
    return spec if spec == score.BUILTIN or is_address(spec) else settings.file_path(spec)


def _tuned_cascade(
    name: str,
    entry: config.CascadePolicy | config.CascadeRoutingPolicy,
    path: Path,
    settings: LoadedSettings,
    opened: OpenedRouter,
    answers: judge.TrainedJudge | None,
) -> Policy:
    """The cascade of a file that `pointsman tune` wrote, for these tiers and this router.

    Raises:
        ConfigError: it cannot be read, is of another kind, was tuned for another router or for none, or its models are
            not those of the tiers.
    """
    from . import tune

    try:
        tuned = tune.read_cascade(path)
    except DataError as error:
        raise ConfigError(f"policy {name}: {error}") from error
    called = _called(name, path, tuned.models, settings)
    if tuned.use is not None:
        return FixedPolicy(name, called[tuned.use])
    plan = tuned.read_plan()
    assert plan is not None, "a policy that is not fixed has a plan"
    if plan.kind != entry.kind:
        raise ConfigError(f"policy {name}: {path} is a {plan.kind} policy, not one of kind {entry.kind}")
    if tuned.router is None or answers is None:
        raise ConfigError(
            f"policy {name}: {path} needs an artifact that scores answers: train one with --kind both, and tune with "
            "--router"
        )
    _refuse_other_router(name, path, tuned.router, opened)
    tier_of = {model: tier.name for tier in settings.tiers for model in tier.models}
    untiered = [model for model in tuned.models if called[model] not in tier_of]
    if untiered or tier_of[called[tuned.models[-1]]] != settings.tiers[-1].name:
        raise ConfigError(
            f"policy {name}: {path} was tuned from {tuned.models[0]} up to {tuned.models[-1]}; each must stand in a "
            f"tier, and {called[tuned.models[-1]]} in the last"
        )
    common = settings.cascade
    models = tuned.models
    return PlannedCascade(
        name,
        plan,
        tiers=tuple(tier_of[called[model]] for model in models),
        expected=lambda request: answers.expected(request, models),
        agreement=judge.agreement,
        mode=CascadeMode(common.mode if entry.mode is None else entry.mode),
        race_below=common.race_below,
        max_latency_ms=common.max_latency_ms if entry.max_latency_ms is None else entry.max_latency_ms,
        promise=_promise(tuned.promise),
    )


def _promise(promise: tune.Promise) -> str:
    unit = "of the strong model's quality" if promise.limit == "relative" else "in score points"
    return f"tuned to lose at most {promise.max_quality_loss:.1%} {unit}, confidence {promise.confidence:.0%}"


def _called(name: str, path: Path, models: Sequence[str], settings: LoadedSettings) -> dict[str, str]:
    """The configured name of each model, by its name here or its provider's.

    Raises:
        ConfigError: a model of the policy is not configured.
    """
    called = {
        known: model.name for model in settings.models for known in (model.name, model.model) if known is not None
    }
    unknown = [model for model in models if model not in called]
    if unknown:
        raise ConfigError(
            f"policy {name}: {path} was tuned for {', '.join(models)}; "
            f"{', '.join(unknown)} is no configured model, by its name here or its provider's"
        )
    return called


def _refuse_other_router(name: str, path: Path, tuned_for: tune.RouterName, opened: OpenedRouter) -> None:
    if tuned_for.sha256 != opened.card_sha256:
        raise ConfigError(
            f"policy {name}: {path} was tuned for the router {tuned_for.name} ({tuned_for.sha256[:12]}), but "
            f"{opened.folder} holds {opened.router.router} ({opened.card_sha256[:12]}): tune it again"
        )


def _tuned(
    name: str, path: Path, settings: LoadedSettings, opened: OpenedRouter, dial: tuple[DialPoint, ...]
) -> Policy:
    """The policy of a file that `pointsman tune` wrote, for these tiers and this router.

    Raises:
        ConfigError: it cannot be read, was tuned for another router, or its models are not those of the tiers.
    """
    from . import tune

    try:
        tuned = tune.read_policy(path)
    except DataError as error:
        raise ConfigError(f"policy {name}: {error}") from error
    called = _called(name, path, tuned.models, settings)
    if tuned.use is not None:
        return FixedPolicy(name, called[tuned.use])
    if tuned.router is not None:
        _refuse_other_router(name, path, tuned.router, opened)
    at = {called[model]: threshold for model, threshold in zip(tuned.models, tuned.thresholds, strict=False)}
    by_tier = tuple(next((at[model] for model in tier.models if model in at), None) for tier in settings.tiers)
    if called[tuned.models[-1]] not in settings.tiers[-1].models or all(each is None for each in by_tier[:-1]):
        raise ConfigError(
            f"policy {name}: {path} was tuned from {tuned.models[0]} up to {tuned.models[-1]}; the last tier must hold "
            f"{called[tuned.models[-1]]}, and a tier before it one of the others"
        )
    return ThresholdPolicy(
        name,
        by_tier=(*by_tier[:-1], None),
        promise=_promise(tuned.promise),
        dial=dial,
    )
