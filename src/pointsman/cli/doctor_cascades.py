"""What the configured cascades are made of, for `pointsman doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pointsman.catalog import blended_usd_per_mtok
from pointsman.decide import CascadePolicy, PlannedCascade
from pointsman.doctor import AskedFacts, CascadeFacts, Finding, cascade_findings
from pointsman.judge import TrainedJudge
from pointsman.vocabulary import Dialect

if TYPE_CHECKING:
    from pointsman.assembly import Parts


def look_at_cascades(parts: Parts) -> list[Finding]:
    """Findings about the cascade policies, and the judge that they ask; none where there is no such policy."""
    facts = [
        _facts(name, policy, parts)
        for name, policy in parts.policies.items()
        if isinstance(policy, CascadePolicy | PlannedCascade)
    ]
    return cascade_findings(facts, _asked(parts))


def _facts(name: str, policy: CascadePolicy | PlannedCascade, parts: Parts) -> CascadeFacts:
    first = {tier.name: tier.models[0] for tier in parts.tiers}
    last = parts.tiers[-1].name
    if isinstance(policy, PlannedCascade):
        judged = [tier for tier in policy.tiers if tier != last]
        left_out: list[str] = []
    else:
        named = dict(zip(first, policy.accept_at, strict=False))
        judged = [tier for tier in first if tier != last and named.get(tier) is not None]
        left_out = [tier for tier in first if tier != last and named.get(tier) is None]
    judge = parts.judges.free
    trained = judge if isinstance(judge, TrainedJudge) else None
    models = [first[tier] for tier in judged]
    called = [*models, first[last]]
    return CascadeFacts(
        policy=name,
        judged=tuple(models),
        last=first[last],
        left_out=tuple(left_out),
        scorer=None if trained is None else trained.name,
        unscored=() if trained is None else tuple(model for model in models if not trained.knows(model)),
        # Anthropic's Messages has no token probabilities (`wire.logprobs`).
        without_tokens=tuple(
            model
            for model in models
            if judge.wants_logprobs
            and not parts.models[model].endpoints.keys() & {Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES}
        ),
        unpriced=tuple(model for model in called if parts.models[model].price is None),
        is_tuned=isinstance(policy, PlannedCascade),
        weighs=isinstance(policy, PlannedCascade) or policy.quality_per_usd is not None,
        max_latency_ms=policy.max_latency_ms,
    )


def _asked(parts: Parts) -> AskedFacts | None:
    entry = parts.settings.cascade.judge
    if entry is None:
        return None
    asked, strong = parts.models[entry.model].price, parts.models[parts.tiers[-1].models[0]].price
    share = None
    if asked is not None and strong is not None and blended_usd_per_mtok(strong) > 0:
        share = blended_usd_per_mtok(asked) / blended_usd_per_mtok(strong)
    return AskedFacts(entry.model, share, entry.timeout_ms)
