"""The shape of `pointsman.yaml`. The page and the schema are made from the descriptions of its fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    SecretStr,
    Tag,
    model_validator,
)

from pointsman.vocabulary import Dialect

from .values import (
    Amount,
    Count,
    HttpUrl,
    Label,
    ModelName,
    Name,
    RedisUrl,
    Seconds,
    Secret,
    SecretUrl,
    Share,
    Text,
    not_bool,
)


class Section(BaseModel):
    """A mapping in the file: only known keys, never changed after it is read, its input never in an error."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        protected_namespaces=(),
        use_attribute_docstrings=False,
        # All at once when the first file is read; one by one, each section would be built again in those around it.
        defer_build=True,
    )


# ---------------------------------------------------------------- models


class PriceSettings(Section):
    """Prices in USD per million tokens; they replace the price list's for this model."""

    input_usd_per_mtok: Amount = Field(description="Input tokens.")
    output_usd_per_mtok: Amount = Field(description="Output tokens, reasoning included.")
    cached_input_usd_per_mtok: Amount | None = Field(
        None, description="Input read from the provider's prompt cache. Not given: the full input price."
    )
    cache_write_usd_per_mtok: Amount | None = Field(
        None, description="Input written to the provider's prompt cache. Not given: the full input price."
    )
    cache_write_1h_usd_per_mtok: Amount | None = Field(
        None, description="The same for a cache that lasts an hour. Not given: the price of a cache write."
    )
    batch_input_usd_per_mtok: Amount | None = Field(None, description="Input tokens of a batch job.")
    batch_output_usd_per_mtok: Amount | None = Field(None, description="Output tokens of a batch job.")


class TimeoutSettings(Section):
    """Limits of one attempt, in seconds."""

    connect_s: Seconds = Field(5.0, description="Name, connection and TLS handshake.")
    first_byte_s: Seconds = Field(60.0, description="From the request to the first byte of the answer.")
    idle_s: Seconds = Field(60.0, description="Between two pieces of the answer.")
    total_s: Seconds | None = Field(600.0, description="The whole call; null means no limit.")


class SimulateSettings(Section):
    """How a simulated model behaves (`provider: sim`)."""

    skill: Share = Field(0.5, description="How hard a prompt it answers well, from 0 to 1.")
    latency_ms: Amount = Field(200.0, description="Time to the first token.")
    tokens_per_s: Annotated[float, Field(gt=0, allow_inf_nan=False), BeforeValidator(not_bool)] = Field(
        100.0, description="Speed of its output."
    )
    priced_as: Text | None = Field(
        None, description="`provider/model` whose list price and capabilities it borrows, such as openai/gpt-5-mini."
    )


def _timeout_kind(value: object) -> str:
    return "limits" if isinstance(value, Mapping | TimeoutSettings) else "seconds"


ProviderName: TypeAlias = Literal[
    "openai", "anthropic", "gemini", "ollama", "vllm", "azure", "bedrock-openai", "openai-compatible", "sim"
]
Ability: TypeAlias = Literal["vision", "tools", "json_schema"]


class ModelSettings(Section):
    """One callable model."""

    name: ModelName = Field(description="What tiers, policies and clients call it.")
    provider: ProviderName = Field(description="Who serves it.")
    model: Text | None = Field(
        None, description="What the provider calls it (Azure: the deployment). Only a simulated model can go without."
    )
    api_key: Secret | None = Field(
        None, description="The provider's key, written as `${VARIABLE}`. Never written back, shown or logged."
    )
    base_url: HttpUrl | None = Field(
        None, description="Where it is served; each provider but Azure, Bedrock and openai-compatible has a default."
    )
    price: PriceSettings | None = Field(None, description="Replaces the price list's prices.")
    context_window_tokens: Count | None = Field(None, description="Input and output that fit together.")
    max_output_tokens: Count | None = Field(None, description="The longest answer it can give.")
    supports: tuple[Ability, ...] | None = Field(
        None,
        description="Which of vision, tools and json_schema it can do; the others it cannot. Not given: known facts.",
    )
    timeout_s: (
        Annotated[
            Annotated[Seconds, Tag("seconds")] | Annotated[TimeoutSettings, Tag("limits")],
            Discriminator(_timeout_kind),
        ]
        | None
    ) = Field(None, description="One number limits the call and the wait for its first byte; or the four limits.")
    max_concurrency: Count | None = Field(None, description="Calls under way at once; not given means no limit.")
    dialects: tuple[Dialect, ...] | None = Field(
        None, min_length=1, description="Wire protocols its upstream speaks; not given: what the provider is known for."
    )
    headers: dict[str, Secret] = Field(
        default_factory=dict, max_length=32, description="Further headers to send upstream; shown masked."
    )
    anthropic_betas: tuple[Text, ...] | None = Field(
        None,
        max_length=64,
        description="Values of clients' `anthropic-beta` header that this upstream gets; not given: all. For servers "
        "that refuse a request with a value they do not know, such as Bedrock and Vertex.",
    )
    api_version: Text | None = Field(
        None, description="Azure only: calls the deployment's dated API; not given: Azure's v1 API."
    )
    simulate: SimulateSettings | None = Field(None, description="Only with `provider: sim`.")

    def plain(self) -> dict[str, Any]:
        """Keyword arguments for `pointsman.catalog.build_model`, in plain types, with the key revealed."""
        timeouts: dict[str, float | None] = {}
        if isinstance(self.timeout_s, TimeoutSettings):
            timeouts = self.timeout_s.model_dump()
        elif self.timeout_s is not None:
            timeouts = {
                "connect_s": min(5.0, self.timeout_s),
                "first_byte_s": self.timeout_s,
                "idle_s": min(60.0, self.timeout_s),
                "total_s": self.timeout_s,
            }
        simulate = self.simulate
        return {
            "name": self.name,
            "provider": self.provider,
            "provider_model": self.model,
            "api_key": None if self.api_key is None else self.api_key.get_secret_value(),
            "base_url": self.base_url,
            "price": None if self.price is None else self.price.model_dump(exclude_none=True),
            "context_window_tokens": self.context_window_tokens,
            "max_output_tokens": self.max_output_tokens,
            "supports": self.supports,
            "timeouts": timeouts,
            "max_concurrency": self.max_concurrency,
            "dialects": self.dialects,
            "headers": {name: value.get_secret_value() for name, value in self.headers.items()},
            "anthropic_betas": self.anthropic_betas,
            "api_version": self.api_version,
            "simulation": {} if simulate is None else simulate.model_dump(exclude={"priced_as"}),
            "priced_as": None if simulate is None else simulate.priced_as,
        }


class TierSettings(Section):
    """An ordered rung: the first healthy model serves, the rest are fallbacks."""

    name: Name = Field(description="What policies, rules and headers call it.")
    models: tuple[str, ...] = Field(min_length=1, description="Names of models, the preferred one first.")


# ---------------------------------------------------------------- routing


class RouterSettings(Section):
    """The trained router that scores requests."""

    artifact: Text = Field(
        "builtin", description="`builtin`, or the path or address (s3://…, gs://…) of a router artifact or store."
    )
    encoder: Text | None = Field(
        None, description="Another encoder than the artifact's own; its id must be the one it was trained with."
    )
    max_score_ms: Amount = Field(
        250.0,
        description="Scoring that is slower time and again is left out for a while; policies take their safe way.",
    )


class RuleSettings(Section):
    """One rule; the first enforced rule that fires decides."""

    name: Label = Field(description="Shown in reasons.")
    when: dict[str, Any] = Field(description="Conditions, all of which must hold; see the rules page.")
    use: str = Field(description="The tier or model to use.")
    mode: Literal["enforce", "observe"] = Field("enforce", description="`observe` only reports what it would do.")


class RulesFile(Section):
    """Rules kept in a file of their own."""

    file: Text = Field(description="Path of a YAML file with a list of rules, relative to this file.")


def _rules_kind(value: object) -> str | None:
    if isinstance(value, str):
        return "builtin"
    if isinstance(value, Mapping | RulesFile):
        return "file"
    return "list" if isinstance(value, list | tuple) else None


RulesValue: TypeAlias = Annotated[
    Annotated[Literal["builtin"], Tag("builtin")]
    | Annotated[RulesFile, Tag("file")]
    | Annotated[tuple[RuleSettings, ...], Tag("list")],
    Discriminator(
        _rules_kind,
        custom_error_type="rules_kind",
        custom_error_message="a list of rules, `builtin`, or `{file: path}`",
    ),
]


class FixedPolicy(Section):
    """Always the same tier or model."""

    kind: Literal["fixed"]
    model: str | None = Field(None, description="A model's name; give this or `tier`.")
    tier: str | None = Field(None, description="A tier's name; give this or `model`.")
    one_of: ClassVar[tuple[str, ...]] = ("model", "tier")


class RulesPolicy(Section):
    """The rules decide; what no rule takes goes to one tier."""

    kind: Literal["rules"]
    otherwise: str = Field(description="The tier for requests that no rule takes.")


class ThresholdPolicy(Section):
    """The cheap tier where it is likely enough to answer well, else the strong one; exactly one dial is given."""

    kind: Literal["threshold"]
    max_quality_loss: Share | None = Field(
        None, description="Allowed loss against always-strong, as a share: 0.01 is one per cent."
    )
    threshold: Share | None = Field(None, description="The least P(cheap is good enough) that takes the cheap tier.")
    strong_share: Share | None = Field(None, description="The share of requests that go to the strong tier.")
    file: Text | None = Field(
        None, description="A policy that `pointsman tune` wrote for this router, relative to this file."
    )
    one_of: ClassVar[tuple[str, ...]] = ("max_quality_loss", "threshold", "strong_share", "file")


class LlmClassifierPolicy(Section):
    """A small model names the tier; when it does not, a threshold policy with the dial given here decides."""

    kind: Literal["llm_classifier"]
    model: str = Field(description="The model that classifies, one of `models`; it needs a price.")
    timeout_ms: Annotated[int, Field(ge=10, le=60_000), BeforeValidator(not_bool)] = Field(
        800, description="How long a request waits for its answer."
    )
    max_prompt_chars: Annotated[int, Field(ge=100, le=200_000), BeforeValidator(not_bool)] = Field(
        4_000, description="Longer texts are shown with their middle left out."
    )
    max_output_tokens: Annotated[int, Field(ge=16, le=16_384), BeforeValidator(not_bool)] = Field(
        64, description="The longest answer it may write; a reasoning model needs more."
    )
    cache_entries: Annotated[int, Field(ge=0, le=1_000_000), BeforeValidator(not_bool)] = Field(
        10_000, description="Answers remembered, the least recently used forgotten first; 0 remembers none."
    )
    instructions: Annotated[str, Field(min_length=1, max_length=8_192)] | None = Field(
        None, description="How to choose a tier, in place of the built-in instructions."
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict,
        max_length=32,
        description="Further fields of its request, such as `temperature` or `reasoning_effort`.",
    )
    max_quality_loss: Share | None = Field(None, description="The dial of the policy that stands in; as for threshold.")
    threshold: Share | None = Field(None, description="The same, as a threshold.")
    strong_share: Share | None = Field(None, description="The same, as a share of strong calls.")
    file: Text | None = Field(None, description="The same, as a policy that `pointsman tune` wrote.")
    one_of: ClassVar[tuple[str, ...]] = ThresholdPolicy.one_of
    ours: ClassVar[frozenset[str]] = frozenset(
        {
            "model",
            "messages",
            "input",
            "prompt",
            "instructions",
            "system",
            "stream",
            "stream_options",
            "n",
            "max_tokens",
            "max_completion_tokens",
            "max_output_tokens",
            "tools",
            "tool_choice",
            "dialect",
            "hints",
            "key_id",
        }
    )
    """Fields that `parameters` cannot set."""


class RandomPolicy(Section):
    """A coin, for comparison."""

    kind: Literal["random"]
    strong_share: Share = Field(0.5, description="The chance of the strong tier.")
    seed: Annotated[int, BeforeValidator(not_bool)] | None = Field(
        None, description="With a seed the same request goes the same way."
    )


Mode: TypeAlias = Literal["buffer", "holdback", "race"]
LatencyMs: TypeAlias = Annotated[float, Field(gt=0, le=3_600_000, allow_inf_nan=False), BeforeValidator(not_bool)]


class _Judged(Section):
    """What the two kinds of cascade share. Each can also be set for all of them, under `cascade`."""

    skip_below: Share = Field(
        0.0, description="A tier whose P(good) is below, by the request alone, is not called: hard requests go up."
    )
    mode: Mode | None = Field(None, description="Replaces the mode of `cascade`.")
    max_latency_ms: LatencyMs | None = Field(None, description="Replaces the limit of `cascade`.")


class CascadePolicy(_Judged):
    """Tiers from weak to strong: an answer that is worth too little is followed by the next tier's."""

    kind: Literal["cascade"]
    accept: Share | None = Field(None, description="The least P(good) of an answer that is served, for every tier.")
    accept_by_tier: dict[Name, Share] | None = Field(
        None, description="The same by tier; a tier that is not named is left out. The last tier is never judged."
    )
    file: Text | None = Field(
        None,
        description="A cascade that `pointsman tune` wrote for this router, relative to this file: its plan decides, "
        "and no threshold.",
    )
    one_of: ClassVar[tuple[str, ...]] = ("accept", "accept_by_tier", "file")


class CascadeRoutingPolicy(_Judged):
    """At every step the option that is worth most: to stop with the best answer so far, or to call one more tier."""

    kind: Literal["cascade_routing"]
    quality_per_usd: Amount | None = Field(
        None,
        description="What a dollar must buy in P(good): 50 spends two cents only for what is better for certain.",
    )
    file: Text | None = Field(None, description="A plan that `pointsman tune` wrote, as for `cascade`.")
    accept: Share = Field(0.0, description="No answer with a lower P(good) is served while a tier is left to call.")
    one_of: ClassVar[tuple[str, ...]] = ("quality_per_usd", "file")


PolicySettings: TypeAlias = Annotated[
    FixedPolicy
    | RulesPolicy
    | ThresholdPolicy
    | LlmClassifierPolicy
    | RandomPolicy
    | CascadePolicy
    | CascadeRoutingPolicy,
    Field(discriminator="kind"),
]


class AskedJudgeSettings(Section):
    """A model that is asked about answers of which the free judge is unsure. What it costs is on record as judging."""

    model: str = Field(description="The model that judges, one of `models`; it needs a price.")
    ask_between: tuple[Share, Share] = Field(
        (0.3, 0.9), description="It is asked where the free judge's P(good) is in this range, upper end excluded."
    )
    timeout_ms: Annotated[int, Field(ge=10, le=600_000), BeforeValidator(not_bool)] = Field(
        5_000, description="How long a request waits for its verdict; then `when_judge_fails` says what follows."
    )
    max_output_tokens: Annotated[int, Field(ge=16, le=16_384), BeforeValidator(not_bool)] = Field(
        256, description="The longest verdict it may write; a reasoning model needs more."
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict,
        max_length=32,
        description="Further fields of its request, such as `temperature` or `reasoning_effort`.",
    )


class CascadeSettings(Section):
    """Settings of every cascade."""

    judge: AskedJudgeSettings | None = Field(None, description="A model that judges; not given: nobody is asked.")

    mode: Mode = Field(
        "buffer",
        description="`buffer` judges the whole answer before its first byte goes out, `holdback` the beginning of a "
        "stream, `race` starts the strong call at once where acceptance is unlikely.",
    )
    early_tokens: Count = Field(48, description="With `holdback`: how much of a stream is judged before it flows.")
    race_below: Share = Field(
        0.5, description="With `race`: the strong call starts at once where P(good) by the request alone is below."
    )
    max_latency_ms: LatencyMs | None = Field(
        None,
        description="When the first byte must be on its way. Once it is known how long models take, a mode that cannot "
        "keep it gives way to one that can, or to the strong tier at once; until then the strong tier is called when "
        "the time is up. The header `x-pointsman-max-latency-ms` replaces it for a request.",
    )
    when_judge_fails: Literal["accept", "escalate"] = Field(
        "escalate", description="What becomes of an answer that could not be judged."
    )
    late_rejection: Literal["error", "record"] = Field(
        "error",
        description="With `holdback`: a stream whose end is judged bad ends with an error event, or as it came, with "
        "the verdict on record.",
    )


class ShadowSettings(Section):
    """A sample of answers of cheaper tiers, compared with the strong tier's in the background."""

    share: Share = Field(0.0, description="The share of such requests that is compared; 0 compares none.")
    max_usd_per_day: Amount = Field(
        1.0, description="What strong calls and judge may cost together in a day, UTC; no caller's budget pays for it."
    )
    judge: str | None = Field(
        None, description="The model that judges. Not given: the strong model, which may favour its own answer."
    )
    max_quality_loss: Share | None = Field(
        None,
        description="The most that the strong answers may be better by, for every policy. Not given: the limit of each "
        "policy or of its file; a policy without one is compared and raises no alarm.",
    )
    confidence: Annotated[float, Field(gt=0.5, lt=1), BeforeValidator(not_bool)] = Field(
        0.95, description="How sure an alarm must be: one in twenty policies that keep their limit ever has one."
    )
    on_alarm: Literal["strong", "warn"] = Field(
        "strong", description="What a broken promise leads to: the strong tier serves, or it is only told."
    )
    concurrency: Count = Field(2, description="Comparisons under way at once.")
    max_queued: Count = Field(100, description="Comparisons that wait; further ones are left out and counted.")


# ---------------------------------------------------------------- gateway and ledger


class KeyTermsSettings(Section):
    """What the bearer of one key may do; what is not given is as `limits` and `budgets` say for every key."""

    models: tuple[str, ...] | None = Field(None, description="Models that may serve it; not given: all.")
    policies: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="Policies that may decide for it; not given: all. The first stands in for `default_policy` where "
        "that is not among them.",
    )
    usd_per_day: Amount | None = Field(None, description="Its budget for a day, UTC.")
    usd_per_month: Amount | None = Field(None, description="Its budget for a calendar month, UTC.")
    requests_per_min: Count | None = Field(None, description="Requests a minute.")
    tokens_per_min: Count | None = Field(None, description="Tokens a minute, input and output together.")
    max_concurrent: Count | None = Field(None, description="Requests under way at once.")

    def terms(self) -> dict[str, Any]:
        """The fields of this section alone, by name."""
        return {name: getattr(self, name) for name in KeyTermsSettings.model_fields}


class ClientKey(KeyTermsSettings):
    """One client of the gateway."""

    name: Name = Field(description="Stands in records instead of the key.")
    key: Annotated[SecretStr, Field(min_length=8, max_length=512)] = Field(
        description="What the client sends, written as `${VARIABLE}`; at least 8 characters."
    )


class KeysSettings(Section):
    """Who may use the gateway. Keys made with `pointsman keys create` are known beside those given here."""

    clients: tuple[ClientKey, ...] = Field(
        (), description="Keys that clients send; none here and none made by `pointsman keys`: no key is asked for."
    )
    admin_key: Annotated[SecretStr, Field(min_length=8, max_length=512)] | None = Field(
        None, description="The key for everybody's decisions, metrics and the dashboard."
    )
    required: bool = Field(False, description="Ask for a key even while there is none.")


class BudgetsSettings(Section):
    """Money in USD, by UTC day and calendar month. A model without a price serves nobody who has a budget."""

    usd_per_day: Amount | None = Field(None, description="All keys together, a day.")
    usd_per_month: Amount | None = Field(None, description="All keys together, a month.")
    key_usd_per_day: Amount | None = Field(None, description="Every key that has no `usd_per_day` of its own.")
    key_usd_per_month: Amount | None = Field(None, description="Every key that has no `usd_per_month` of its own.")


class LimitsSettings(Section):
    """Bounds of the gateway. Those of keys hold for every key without its own; requests without a key share one."""

    max_body_bytes: Count = Field(33_554_432, description="The largest request body; larger ones get 413.")
    max_answer_bytes: Count = Field(33_554_432, description="The largest upstream answer.")
    max_json_values: Count = Field(
        100_000, description="JSON values in one request body; text counts as one however long it is. More get 400."
    )
    max_connections: Count | None = Field(
        None,
        description="Clients connected at once, idle ones too; further ones get 503 at once. Not given: half of the "
        "files that the process may open, whose limit it raises as far as the system lets it.",
    )
    max_requests: Count = Field(10_000, description="Requests served at once, streams included; further ones wait.")
    max_queued_requests: Count = Field(
        1_000, description="Requests that wait for their turn; further ones get 503 at once."
    )
    queue_wait_s: Seconds = Field(5.0, description="How long a request waits for its turn before it gets 503.")
    max_lag_ms: Amount = Field(
        500.0,
        description="While the gateway's event loop is later than this time and again, new requests get 503 at once.",
    )
    header_within_s: Seconds = Field(30.0, description="How long a client may take to send a request's headers.")
    body_idle_s: Seconds = Field(60.0, description="How long a client may pause while it sends a body; then 408.")
    write_within_s: Seconds = Field(
        60.0, description="How long a client may leave its answer unread; then it is cut off and the call cancelled."
    )
    key_requests_per_min: Count | None = Field(None, description="Requests a minute of one key; more get 429.")
    key_tokens_per_min: Count | None = Field(None, description="Tokens a minute of one key; more get 429.")
    key_max_concurrent: Count | None = Field(None, description="Requests of one key at once; more get 429.")
    failed_auth_per_min: Annotated[int, Field(ge=0), BeforeValidator(not_bool)] = Field(
        60, description="Requests a minute with a wrong key or none that one address may send; 0 means any number."
    )


class RetrySettings(Section):
    """Trying again, which happens only before the first byte of an answer has gone to the client."""

    attempts_per_model: Count = Field(2, description="Calls of one model for one request.")
    max_attempts: Count = Field(4, description="Calls of all models for one request.")
    first_wait_s: Seconds = Field(0.1, description="The wait before the same model is called again; doubles, jittered.")
    longest_wait_s: Seconds = Field(
        2.0, description="The longest wait; a client is told of a longer `Retry-After` instead."
    )
    budget_share: Share = Field(0.2, description="Retries under way at once, as a share of the requests under way.")
    give_up_after_s: Seconds = Field(120.0, description="No call begins later than this after its request came.")


class BreakerSettings(Section):
    """When a model that fails is left alone."""

    failures: Count = Field(5, description="Failures in a row that open its circuit; 429 is none.")
    open_s: Seconds = Field(
        5.0, description="How long it is left alone before one request tries it; doubles with each try that fails."
    )
    max_open_s: Seconds = Field(60.0, description="The longest it is left alone.")


_LEDGER_URL = "sqlite:///pointsman.db"


class SessionSettings(Section):
    """What a conversation keeps from turn to turn."""

    hold_tool_loops: bool = Field(True, description="The model that called tools gets their results.")
    weigh_caches: bool = Field(
        True, description="A model whose provider has the prompt cached is left only where that pays, in dollars."
    )
    cache_ttl_s: Seconds = Field(300.0, description="How long a provider keeps a prompt after it was last used.")
    idle_s: Seconds = Field(3_600.0, description="How long a conversation is remembered after its latest answer.")
    max_sessions: Count = Field(50_000, description="Conversations remembered, in memory; the idlest makes room.")


class LedgerSettings(Section):
    """Where records are kept."""

    url: SecretUrl = Field(
        SecretUrl(_LEDGER_URL),
        description="An SQLAlchemy address; its password is never shown.",
        json_schema_extra={"default": _LEDGER_URL},
    )
    store_prompts: bool = Field(False, description="Keep request bodies and answers too.")
    flush_ms: Annotated[int, Field(ge=1, le=500), BeforeValidator(not_bool)] = Field(
        200, description="A record is on disk after at most this time."
    )
    keep_days: Count | None = Field(
        None,
        description="Records older than so many days are deleted by themselves; in PostgreSQL whole months are. Not "
        "given: all are kept.",
    )
    spool: Text = Field(
        "pointsman-spool",
        description="Folder for records that a PostgreSQL server does not take at once; not used with SQLite.",
    )
    max_spool_bytes: Count = Field(
        1_073_741_824, description="The most that the spool may hold; beyond, records are dropped and counted."
    )
    when_away: Literal["serve", "refuse"] = Field(
        "serve",
        description="What becomes of requests for answers while a PostgreSQL server is away: `serve` goes on with the "
        "keys and budgets last known, `refuse` answers 503 and is not ready.",
    )


class RedisSettings(Section):
    """A Redis or Valkey server for several replicas: limits, budgets, breakers, conversations, and reloads are one for
    all of them; needs `pip install 'pointsman[redis]'`."""

    url: RedisUrl | None = Field(
        None,
        description="Such as redis://127.0.0.1:6379/0, rediss:// with TLS, or unix:///path; its password is never "
        "shown. Not given: each replica counts by itself, in memory.",
    )
    on_failure: Literal["open", "closed"] = Field(
        "open",
        description="While it does not answer: `open` lets each replica keep the limits by itself, `closed` refuses "
        "requests that have a budget (503), and `/readyz` says so.",
    )
    timeout_ms: Annotated[int, Field(ge=10, le=10_000), BeforeValidator(not_bool)] = Field(
        250, description="How long a request waits for it at most; after one such wait it is left alone for a while."
    )
    prefix: Name = Field("pointsman", description="Begins the name of every key there.")


class OtelSettings(Section):
    """Traces by OpenTelemetry, with its conventions for generative AI; needs `pip install 'pointsman[otel]'`."""

    traces_url: HttpUrl | None = Field(
        None,
        description="Where a collector takes OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces; not given: no "
        "traces.",
    )
    headers: dict[str, Secret] = Field(
        default_factory=dict, max_length=32, description="Headers for the collector, such as its key; shown masked."
    )
    service_name: Text = Field("pointsman", description="The `service.name` of every trace.")
    sample_share: Share = Field(
        1.0, description="The share of requests that are traced; those of a trace that the client began are as it says."
    )
    timeout_s: Seconds = Field(5.0, description="How long a collector may take; what it does not take is dropped.")


class ServerSettings(Section):
    """Where the gateway listens."""

    host: Text = Field("127.0.0.1", description="A public address is refused unless keys are configured.")
    port: Annotated[int, Field(ge=0, le=65_535), BeforeValidator(not_bool)] = Field(
        8484, description="0 takes a free port."
    )
    workers: Annotated[int, Field(ge=1, le=64), BeforeValidator(not_bool)] = Field(
        1,
        description="Processes that serve. Several share the ledger and the metrics; without `redis` each has its own "
        "breakers, conversations and bounds, and budgets or limits of keys are refused.",
    )
    grace_s: Seconds = Field(30.0, description="How long answers under way may go on after a signal to stop.")
    watch: bool = Field(
        True, description="Load this file, its rules and the router artifact again when they change, as at SIGHUP."
    )


class AdminSettings(Section):
    """Where metrics and the dashboard are served."""

    port: Annotated[int, Field(ge=0, le=65_535), BeforeValidator(not_bool)] | None = Field(
        None,
        description="A port for metrics and the dashboard alone, which are then not found on the clients'; 0 takes a "
        "free one. Not given: the clients' port.",
    )
    host: Text = Field("127.0.0.1", description="Its address; a public one is refused unless `keys.admin_key` is set.")


class DashboardSettings(Section):
    """The pages at `/dashboard`."""

    enabled: bool = Field(True, description="Serve them.")
    evidence: Text | None = Field(
        None,
        description="What `pointsman evaluate --json` wrote of the current eval set, relative to this file; the "
        "dashboard shows it, read anew when it changes.",
    )
    store: Text | None = Field(
        None,
        description="The store of router artifacts, relative to this file. Not given: the one that `router.artifact` "
        "stands in, where it stands in one.",
    )


class Settings(Section):
    """All of `pointsman.yaml`."""

    models: tuple[ModelSettings, ...] = Field(min_length=1, description="The models that can serve.")
    tiers: tuple[TierSettings, ...] = Field(min_length=1, description="Rungs, cheapest first.")
    router: RouterSettings = Field(default_factory=RouterSettings, description="The trained router.")
    rules: RulesValue = Field((), description="A list of rules, `builtin`, or `{file: path}`; asked before any policy.")
    policies: dict[Name, PolicySettings] = Field(
        default_factory=dict,
        description=(
            "How requests are decided, by name. Not given: `auto`, a threshold policy with max_quality_loss 0.01 "
            "(with a single tier: that tier)."
        ),
    )
    default_policy: str = Field("auto", description="The policy of requests that name none.")
    baseline: str = Field(
        "", description="The tier or model that savings are counted against. Not given: the last tier."
    )
    cascade: CascadeSettings = Field(default_factory=CascadeSettings, description="Settings of every cascade.")
    keys: KeysSettings = Field(default_factory=KeysSettings, description="Who may use the gateway.")
    budgets: BudgetsSettings = Field(default_factory=BudgetsSettings, description="How much may be spent.")
    limits: LimitsSettings = Field(default_factory=LimitsSettings, description="Bounds of the gateway.")
    retry: RetrySettings = Field(default_factory=RetrySettings, description="When a failed call is made again.")
    breaker: BreakerSettings = Field(
        default_factory=BreakerSettings, description="When a model that fails is left alone."
    )
    ledger: LedgerSettings = Field(default_factory=LedgerSettings, description="Where records are kept.")
    shadow: ShadowSettings = Field(
        default_factory=ShadowSettings, description="Comparing served answers with the strong tier's."
    )
    otel: OtelSettings = Field(default_factory=OtelSettings, description="Traces.")
    server: ServerSettings = Field(default_factory=ServerSettings, description="Where the gateway listens.")
    admin: AdminSettings = Field(
        default_factory=AdminSettings, description="Where metrics and the dashboard are, when not at the clients' port."
    )
    session: SessionSettings = Field(
        default_factory=SessionSettings, description="What a conversation keeps from turn to turn."
    )
    dashboard: DashboardSettings = Field(default_factory=DashboardSettings, description="The pages at `/dashboard`.")
    redis: RedisSettings = Field(default_factory=RedisSettings, description="What several replicas share.")

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, data: Any) -> Any:
        """What is not given and depends on the rest: policies, default_policy, baseline."""
        if not isinstance(data, Mapping):
            return data
        out = dict(data)
        tiers = [t["name"] for t in _dicts(out.get("tiers")) if isinstance(t.get("name"), str)]
        if "policies" not in out and tiers:
            out["policies"] = {
                "auto": {"kind": "threshold", "max_quality_loss": 0.01}
                if len(tiers) > 1
                else {"kind": "fixed", "tier": tiers[0]}
            }
        policies = out.get("policies")
        if "default_policy" not in out and isinstance(policies, Mapping) and len(policies) == 1:
            out["default_policy"] = next(iter(policies))
        if "baseline" not in out and tiers:
            out["baseline"] = tiers[-1]
        return out

    def rule_mappings(self) -> list[dict[str, Any]]:
        """The inline rules as plain mappings (name, when, use, mode); empty for `builtin` and `{file: …}`."""
        return [rule.model_dump() for rule in self.rules] if isinstance(self.rules, tuple) else []

    def tier_names(self) -> tuple[str, ...]:
        """Names of the tiers, cheapest first."""
        return tuple(tier.name for tier in self.tiers)


def _dicts(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []
