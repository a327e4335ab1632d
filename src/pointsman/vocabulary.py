"""The nouns of Pointsman: frozen data that crosses between stages, and the protocols of what is passed in.

Nothing here does I/O or imports a third-party module at run time. Units stand in the names: `_usd`, `_ms`, `_s`,
`_tokens`, `_bytes`; probabilities begin with `p_`, counts with `n_`. `None` means "not known" or "not given".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray: TypeAlias = NDArray[np.float32]
    IntArray: TypeAlias = NDArray[np.int64]
else:
    FloatArray = Any
    IntArray = Any

JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str | int | float | bool | None"
JSONObject: TypeAlias = dict[str, Any]


# ---------------------------------------------------------------- wire


class Dialect(StrEnum):
    """A wire protocol that clients and upstreams speak."""

    OPENAI_CHAT = "openai-chat"
    OPENAI_RESPONSES = "openai-responses"
    ANTHROPIC_MESSAGES = "anthropic-messages"


class Role(StrEnum):
    """Who speaks in a turn."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Turn:
    """One message as routing sees it: its text parts joined by newlines, everything else counted.

    What an agent's harness wrote into a user's turn (reminders, its instructions) is left out of the text.
    """

    role: Role
    text: str
    n_images: int = 0
    tool_calls: tuple[str, ...] = ()
    """Names of the tools that an assistant turn calls."""


@dataclass(frozen=True, slots=True)
class Hints:
    """What a caller asked of routing for one request (headers on HTTP, arguments in the library)."""

    policy: str | None = None
    max_quality_loss: float | None = None
    tier: str | None = None
    session: str | None = None
    tags: tuple[str, ...] = ()
    max_latency_ms: float | None = None
    """How long the first byte of the answer may take when answers are judged before they are passed on."""
    shadow: bool = True
    """False when the answer must never be compared with the strong tier's in the background."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request in any dialect: what routing reads, beside the client's own bytes, which stay as they came.

    `turns` holds system, user, assistant and tool turns in order (a system prompt given outside the messages comes
    first). Token counts are estimates made without a provider's tokenizer, see `pointsman.wire.tokens`.
    """

    dialect: Dialect
    endpoint: str
    """The gateway path, such as "/v1/chat/completions"; the library uses the same words."""
    model: str
    """What the client asked for: "auto", "auto:<policy>", "claude-auto" or a configured model's name."""
    raw: bytes
    """The client's body, byte for byte."""
    body: Mapping[str, Any]
    """The same, parsed; never changed."""
    turns: tuple[Turn, ...]
    tools: tuple[str, ...] = ()
    """Names of the tools offered, in order; a nameless built-in tool appears by its type."""
    forces_tool: bool = False
    json_output: bool = False
    """True when a JSON object or a JSON Schema is demanded as output."""
    json_schema: bool = False
    """True when a JSON Schema is demanded."""
    max_output_tokens: int | None = None
    stream: bool = False
    wants_stream_usage: bool = False
    n_images: int = 0
    n_prompt_tokens: int = 0
    """Estimated tokens of the last user turn's text."""
    n_total_tokens: int = 0
    """Estimated tokens of all input: turns, tools' schemas, and images at a flat rate."""
    key_id: str | None = None
    session_id: str | None = None
    hints: Hints = Hints()
    own_dialect_only: str | None = None
    """Why only an upstream of the same dialect can serve it, in words; None when it can be translated."""

    @property
    def system_text(self) -> str:
        """All system turns, joined by newlines; empty when there is none."""
        return "\n".join(turn.text for turn in self.turns if turn.role is Role.SYSTEM)

    @property
    def last_user_text(self) -> str:
        """The text of the last user turn that says something; empty when there is none."""
        for turn in reversed(self.turns):
            if turn.role is Role.USER and turn.text:
                return turn.text
        return ""

    @property
    def n_user_turns(self) -> int:
        """How many turns the user has spoken."""
        return sum(turn.role is Role.USER and (turn.text != "" or turn.n_images > 0) for turn in self.turns)

    @property
    def tools_in_use(self) -> bool:
        """True when a tool has been called or has answered in this conversation."""
        return any(turn.role is Role.TOOL or turn.tool_calls for turn in self.turns)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, with one accounting for all dialects.

    `input_tokens` counts all input, cached reads and cache writes included; `output_tokens` counts all output,
    reasoning included.
    """

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False
    """True when the upstream did not say and the numbers are our estimate."""
    cache_write_1h_tokens: int = 0
    """Those of `cache_write_tokens` that were written for an hour; Anthropic prices them apart."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as routing sees it, read from any dialect."""

    text: str
    finish_reason: str | None
    usage: Usage | None
    upstream_model: str | None
    tool_calls: tuple[str, ...] = ()
    complete: bool = True
    """False when the stream ended before its terminator or finish reason."""
    id: str | None = None
    """The upstream's id of a response that it may keep (Responses only)."""
    logprobs: tuple[float, ...] = ()
    """Natural logarithms of the tokens' probabilities, in order; empty when the upstream gave none. Of a stream only
    where the reader was told to gather them."""
    tool_inputs: tuple[str, ...] = ()
    """The arguments of each of `tool_calls` as JSON text, gathered as `logprobs` are; empty when they were not."""


# ---------------------------------------------------------------- models


@dataclass(frozen=True, slots=True)
class Price:
    """List prices in USD per million tokens, and where they come from. None means "not known".

    A long-context surcharge, where a provider has one, is `long_context`: (tokens above which it applies, its Price).
    """

    input_usd_per_mtok: float
    output_usd_per_mtok: float
    cached_input_usd_per_mtok: float | None = None
    cache_write_usd_per_mtok: float | None = None
    batch_input_usd_per_mtok: float | None = None
    batch_output_usd_per_mtok: float | None = None
    long_context: tuple[int, Price] | None = None
    source: str = "config"
    """"config", or "genai-prices <version>"."""
    as_of: str | None = None
    """The date of the price list, ISO 8601."""
    cache_write_1h_usd_per_mtok: float | None = None
    batch_cached_input_usd_per_mtok: float | None = None
    batch_cache_write_usd_per_mtok: float | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model can do. None means "not known", and then it is not held against the model."""

    context_window_tokens: int | None = None
    max_output_tokens: int | None = None
    vision: bool | None = None
    tools: bool | None = None
    json_schema: bool | None = None


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits of one attempt, in seconds. `total_s` None means no limit on the whole."""

    connect_s: float = 5.0
    first_byte_s: float = 60.0
    idle_s: float = 60.0
    total_s: float | None = 600.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how one model is called in one dialect."""

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    """Headers to send, the provider's key among them; never shown, logged or recorded."""

    def __repr__(self) -> str:
        return f"Endpoint(url={self.url!r}, headers=<{len(self.headers)} hidden>)"


@dataclass(frozen=True, slots=True)
class Model:
    """One callable model with a price."""

    name: str
    provider: str
    provider_model: str
    endpoints: Mapping[Dialect, Endpoint]
    """The dialects its upstream speaks. A simulated model speaks all of them and has no real URL."""
    price: Price | None = None
    price_missing: str | None = None
    """Why there is no price, for a person; None when there is one."""
    capabilities: Capabilities = Capabilities()
    timeouts: Timeouts = Timeouts()
    max_concurrency: int | None = None
    simulated: bool = False
    simulation: Mapping[str, float] = field(default_factory=dict)
    """Settings of a simulated model: skill (0 to 1), latency_ms, tokens_per_s."""
    stream_usage_option: bool = True
    """A streamed chat completion accepts `stream_options: {include_usage: true}`."""
    anthropic_betas: tuple[str, ...] | None = None
    """The values of `anthropic-beta` that its upstream takes; None means all of them."""


@dataclass(frozen=True, slots=True)
class Tier:
    """An ordered rung, cheapest first, holding one or more models: the first healthy one, the rest fallbacks."""

    name: str
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call costs. `usd` is None, with a `reason`, when it is not known; never 0 in its place."""

    usd: float | None
    reason: str | None = None


# ---------------------------------------------------------------- deciding


class TaskKind(StrEnum):
    """What kind of work a prompt asks for, recognised without machine learning."""

    CLASSIFICATION = "classification"
    EXTRACTION = "extraction"
    SUMMARISATION = "summarisation"
    TRANSLATION = "translation"
    REWRITING = "rewriting"
    SHORT_QUESTION = "short_question"
    CODE = "code"
    MATHS = "maths"
    REASONING = "reasoning"
    LONG_DOCUMENT = "long_document"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """What one rule said of one request."""

    rule: str
    use: str
    """The tier or model the rule names."""
    mode: str
    """"enforce" or "observe"."""
    fired: bool
    why: str
    """The conditions that held, or the first one that did not, in words with the numbers seen."""


@dataclass(frozen=True, slots=True)
class RulesResult:
    """The rules' say: the first enforced rule that fired, and every rule that would have."""

    task_kind: TaskKind
    enforced: RuleOutcome | None
    outcomes: tuple[RuleOutcome, ...]
    """One per rule, in order."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """How one feature moved the score, in logits: above 0 speaks for the cheap model, below 0 for the strong."""

    feature: str
    value: float
    effect: float
    text: str
    """The same in words, such as "asks for a proof (−0.8)"."""


@dataclass(frozen=True, slots=True)
class Score:
    """P(the cheap tier's answer is good enough), calibrated, and what moved it, strongest first."""

    p_cheap: float
    moved: tuple[Contribution, ...]
    router: str
    """Name and version of the artifact that scored."""
    by_tier: tuple[float | None, ...] | None = None
    """P(good enough) of every tier, cheapest first, None for a tier whose models the router does not know; the last is
    the reference and has 1. None altogether when the router knows only cheap against strong."""


@dataclass(frozen=True, slots=True)
class Classification:
    """What a small model said of a request: the cheapest tier that will do, or why it did not say."""

    model: str
    """The configured name of the model that classifies."""
    tier: str | None
    how: str
    """"asked", "shared" (with the same request, under way already), "remembered" or "not asked"."""
    failure: str | None = None
    """Why there is no tier, for a person; None when there is one."""
    cost_usd: float = 0.0
    """What asking cost; a question that is shared is on one bill only."""
    latency_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class DialPoint:
    """One row of a router's dial: what a threshold gave on held-out prompts.

    `quality_loss` is the share of always-strong's quality that is lost (0.01 is one per cent); `quality_loss_upper` the
    upper end of its 95 % interval.
    """

    threshold: float
    strong_share: float
    quality_loss: float
    quality_loss_upper: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """One model in its tier, and what rules it out for this request (None when nothing does)."""

    model: Model
    tier: str | None
    ruled_out: str | None = None


@dataclass(frozen=True, slots=True)
class Alternative:
    """One model that could have served, or why it could not."""

    model: str
    tier: str | None
    estimated_cost_usd: float | None
    p_good: float | None
    chosen: bool
    why: str
    """Why it was chosen or not, for a person."""


class CascadeMode(StrEnum):
    """When a judged answer begins to reach the client."""

    BUFFER = "buffer"
    """Once all of it has been judged."""
    HOLDBACK = "holdback"
    """A stream: once its beginning has been judged; its end is held until all of it has been. Else as `buffer`."""
    RACE = "race"
    """As `buffer`, while the next call is already under way where acceptance is unlikely."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a model takes to answer: what nine in ten of its latest answers kept to."""

    first_byte_ms: float
    """From the request to the first event of a stream; of an answer that is not streamed to all of it."""
    whole_ms: float
    ms_per_token: float | None = None
    """After the first event of a stream; None where it is not known."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One tier of a cascade."""

    tier: str
    models: tuple[str, ...]
    """Those of the tier that can serve, the preferred one first; the rest are fallbacks."""
    accept_at: float | None
    """The least P(good) of an answer that is served; None where it is served as it comes, without a judge."""
    p_ahead: float | None = None
    """P(its answer will be good), from the request alone."""
    estimated_cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class CascadePlan:
    """The calls that one request may lead to. The answer of the last rung is never judged."""

    rungs: tuple[Rung, ...]
    """Weakest first, at least two; those that are not worth a call are left out."""
    mode: CascadeMode = CascadeMode.BUFFER
    race: bool = False
    """The second call starts along with the first."""
    early_tokens: int = 48
    """With `holdback`: how much of a stream is judged before it flows."""
    quality_per_usd: float | None = None
    """For cascade routing: what a dollar must buy in P(good); None for a chain of thresholds."""
    max_latency_ms: float | None = None
    """When the first byte must be on its way."""
    time_up_ms: float | None = None
    """From then on the strongest answer that comes is served, unjudged: early enough for its first byte to be in time,
    where it is known how long that takes."""
    first: int = 0
    """The rung that is called first."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Which model serves a request, and why.

    `reason` is a sentence for a person; `reason_code` comes from a closed set and is safe as a metric label:
    "fixed", "rule", "score", "share", "random", "classifier", "classifier_failed", "pinned_tier", "named_model",
    "only_model", "safe_default", "guarantee", "latency", "cascade", and for a cascade that has ended "accepted" or
    "escalated"; "tool_loop" and "session" where a conversation keeps its model.
    """

    request_id: str
    model: str
    tier: str | None
    policy: str
    policy_kind: str
    reason: str
    reason_code: str
    p_cheap: float | None = None
    threshold: float | None = None
    task_kind: TaskKind | None = None
    moved: tuple[Contribution, ...] = ()
    rules: tuple[RuleOutcome, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    fallbacks: tuple[str, ...] = ()
    """Models to try next, in order, should the chosen one not answer."""
    why_not_cheaper: str | None = None
    estimated_cost_usd: float | None = None
    baseline_model: str | None = None
    estimated_baseline_cost_usd: float | None = None
    router: str | None = None
    decide_ms: float = 0.0
    simulated: bool = False
    router_cost_usd: float = 0.0
    """What deciding cost, such as a classifier's call."""
    cascade: CascadePlan | None = None
    """What may be called after `model`, and what its answer must be worth; None when its answer is not judged."""
    lost_cache_usd: float = 0.0
    """The discount that is lost because the conversation leaves a model whose provider has the prompt cached."""
    conversation_cached_tokens: int = 0
    """Tokens of the conversation's beginning that some provider has cached: what the baseline would have read from its
    cache had it answered all along."""

    def to_json(self) -> JSONObject:
        """The decision as plain JSON types, field names as here, enums as their words."""
        from dataclasses import asdict

        out = asdict(self)
        out["estimated_saved_usd"] = (
            None
            if self.estimated_cost_usd is None or self.estimated_baseline_cost_usd is None
            else self.estimated_baseline_cost_usd - self.estimated_cost_usd - self.router_cost_usd
        )
        return out


# ---------------------------------------------------------------- calling and recording


class AttemptStatus(StrEnum):
    """How one call of one model ended."""

    OK = "ok"
    ERROR = "error"
    CANCELLED = "cancelled"
    """The client left."""
    INCOMPLETE = "incomplete"
    """The answer broke off after its first byte."""
    ESCALATED = "escalated"
    """The answer was judged and did not go to the client: another model was asked."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judgement of one answer."""

    p_good: float
    """From 0 to 1; NaN when the judge failed."""
    accepted: bool
    """From a judge: False when something is plainly wrong, whatever the threshold. On record: what came of it."""
    judge: str
    reason: str
    cost: Cost = Cost(0.0)
    latency_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call of one model."""

    model: str
    tier: str | None
    status: AttemptStatus
    http_status: int | None
    error: str | None
    """An error code from `pointsman.errors`, None when it went well; "lost_race" when another answer was served."""
    usage: Usage | None
    cost: Cost
    first_byte_ms: float | None
    total_ms: float
    verdicts: tuple[Verdict, ...] = ()
    """What was thought of its answer, in order; empty when it was not judged."""
    started_ms: float | None = field(default=None, compare=False)
    """When it began, from the record's `created_at`; None when it is not known. Only traces show it."""


@dataclass(frozen=True, slots=True)
class Record:
    """What happened to one request, with its cost. Times are UTC; money is USD."""

    request_id: str
    created_at: datetime
    endpoint: str
    dialect: Dialect | None
    requested_model: str
    status: str
    """"ok", "error", "cancelled" or "incomplete"."""
    http_status: int | None
    decision: Decision | None
    attempts: tuple[Attempt, ...]
    usage: Usage | None
    cost: Cost
    """All attempts together."""
    baseline_model: str | None
    baseline_cost: Cost
    """What the baseline model would have cost for the same tokens."""
    router_cost_usd: float = 0.0
    judge_cost_usd: float = 0.0
    stream: bool = False
    session_id: str | None = None
    key_id: str | None = None
    tags: tuple[str, ...] = ()
    decide_ms: float | None = None
    first_byte_ms: float | None = None
    total_ms: float | None = None
    simulated: bool = False
    error: str | None = None
    prompt_json: bytes | None = None
    """The client's body, only when the ledger was told to store prompts."""
    answer_text: str | None = None

    @property
    def saved_usd(self) -> float | None:
        """Baseline cost minus everything spent (attempts, router, judge); None when either is not known."""
        if self.cost.usd is None or self.baseline_cost.usd is None:
            return None
        return self.baseline_cost.usd - self.cost.usd - self.router_cost_usd - self.judge_cost_usd


class FeedbackLabel(StrEnum):
    """What a person can say of a decision; other labels are kept as they come."""

    RIGHT_TIER = "right_tier"
    """The answer was good, and no cheaper tier would have done."""
    TOO_CHEAP = "too_cheap"
    """The answer was not good enough."""
    TOO_STRONG = "too_strong"
    """The answer was good, and a cheaper tier would have done as well."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a user said of an answer: a score from 0 to 1, or a label."""

    request_id: str
    created_at: datetime
    score: float | None = None
    label: str | None = None
    comment: str | None = None


class ShadowStatus(StrEnum):
    """How the comparison of a served answer with the strong tier's ended."""

    JUDGED = "judged"
    STRONG_FAILED = "strong_failed"
    """The strong tier gave no answer to compare with."""
    JUDGE_FAILED = "judge_failed"
    """The judge gave no verdict that can be read, in one order at least."""


@dataclass(frozen=True, slots=True)
class ShadowLabel:
    """A served answer of a cheaper tier beside the strong tier's answer to the same request, as a judge sees them."""

    request_id: str
    created_at: datetime
    policy: str
    fingerprint: str
    """Names what decided: the policy with its thresholds, the tiers and the router."""
    reason_code: str
    """Of the decision; see `Decision.reason_code`."""
    model: str
    tier: str
    strong_model: str
    strong_tier: str
    judge: str
    """The configured name of the model that judged; empty when the two answers were the same and none was asked."""
    status: ShadowStatus
    score: float | None
    """Of the served answer: 1 better than the strong one, 0 worse, ½ a tie; None when it was not judged."""
    orders_agree: bool | None
    """Whether the judge said the same in both orders; a disagreement is a tie. None when it was not judged."""
    propensity: float
    """The share of such requests that were drawn: what an estimate for all of them weighs by."""
    strong_cost_usd: float
    judge_cost_usd: float
    error: str | None = None
    strong_answer: str | None = None
    """Only when the ledger was told to store prompts."""

    @property
    def cost_usd(self) -> float:
        """Strong call and judge together."""
        return self.strong_cost_usd + self.judge_cost_usd


class WatchKind(StrEnum):
    """What happened to a policy that is watched."""

    IN_FORCE = "in_force"
    """It began to decide; `detail` has the prices of then."""
    REFERENCE = "reference"
    """What its scores and acceptance were like at first is in `detail`."""
    DRIFT = "drift"
    """Something moved; with an empty text, it has come back."""
    ALARM = "alarm"
    """Its promise no longer holds."""
    ACKNOWLEDGED = "acknowledged"
    """A person has seen to it: what was counted so far counts no more."""


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """Something that happened to a policy that is watched."""

    policy: str
    fingerprint: str
    """See `ShadowLabel.fingerprint`."""
    kind: WatchKind
    created_at: datetime
    what: str = ""
    """"quality", "scores" or "acceptance", of an alarm or a drift."""
    text: str = ""
    """In words, for a person."""
    detail: str = ""
    """JSON; empty where there is none."""


# ---------------------------------------------------------------- keys and limits


@dataclass(frozen=True, slots=True)
class KeyTerms:
    """What the bearer of a key may do. None means "without this limit"; an empty tuple allows nothing."""

    models: tuple[str, ...] | None = None
    """Names of the models that may serve it."""
    policies: tuple[str, ...] | None = None
    """Names of the policies that may decide for it; the first stands in where the default policy is not among them."""
    usd_per_day: float | None = None
    usd_per_month: float | None = None
    requests_per_min: int | None = None
    tokens_per_min: int | None = None
    max_concurrent: int | None = None


@dataclass(frozen=True, slots=True)
class VirtualKey:
    """A key that `pointsman keys` made, without its secret."""

    key_id: str
    """Public, and a part of the key itself: by it a key is found, so that only one digest is compared."""
    name: str
    """Stands in records; never used twice."""
    digest: bytes = field(repr=False)
    """SHA-256 of the whole key."""
    terms: KeyTerms
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    @property
    def prefix(self) -> str:
        """The key's public beginning."""
        return f"{KEY_PREFIX}{self.key_id}"


ADMIN_NAME = "admin"
"""Stands in records for the admin key."""
KEY_PREFIX = "sk-pm-"
"""How virtual keys begin, so that secret scanners can know them; "sk-" because some clients ask for it."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a limit per minute."""

    limit: int
    remaining: int
    full_in_s: float
    """Seconds until all of it is there again."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a key stands with its limits per minute; None where it has none."""

    requests: Allowance | None = None
    tokens: Allowance | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What a request came to. None means "not known"."""

    usd: float | None
    tokens: int | None


class Limits(Protocol):
    """Keeps requests within rates, concurrency and budgets. `key` is the name of the client's key, None without keys.

    `enter` and `hold` may wait for a store that replicas share; `settle` never does. A request that has entered is
    settled exactly once; settling one that is not under way does nothing.
    """

    def terms(self, key: str | None) -> KeyTerms:
        """What a key may do, the configured defaults filled in."""

    def configure(self, terms: Callable[[str | None], KeyTerms], *, budget: KeyTerms) -> None:
        """Goes on with other terms by a key's name; what was spent and is under way stays."""

    def has_budget(self, key: str | None) -> bool:
        """True when what this key spends counts against some budget."""

    def standing(self, key: str | None) -> Standing:
        """How a key stands with its limits per minute."""

    async def enter(self, request_id: str, key: str | None, *, tokens: int) -> None:
        """Takes a request in, before it is decided.

        Args:
            tokens: what it will take of the tokens per minute, estimated; settled to the true number.

        Raises:
            RateLimited: too many requests or tokens in this minute, or requests at once.
            BudgetSpent: a budget has nothing left.
        """

    async def hold(self, request_id: str, *, most_usd: float) -> None:
        """Sets money aside for a request that has entered, before a model is called.

        Args:
            most_usd: what it can cost at most.

        Raises:
            RateLimited: what is left of a budget is set aside for other requests under way.
            BudgetSpent: a budget has nothing left.
        """

    def settle(self, request_id: str, spent: Spent) -> None:
        """Ends a request: what was set aside is freed and what was spent is counted.

        Where the cost is not known, all that was set aside counts as spent.
        """


# ---------------------------------------------------------------- the path of a dataset


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """What each model scored and cost on each input: n prompts, m models from cheap to strong, one row per prompt.

    A score is from 0 to 1. What is not known is NaN, never 0: an unscored answer is left out of every mean.
    """

    models: tuple[str, ...]
    """Shape (m,), cheapest first; the last is the quality reference."""
    prompt_ids: tuple[str, ...]
    datasets: tuple[str, ...]
    """The dataset of each prompt, shape (n,)."""
    prompts: tuple[str, ...]
    """The text that routing sees, shape (n,)."""
    groups: IntArray
    """Shape (n,), int64: prompts that are the same once normalised share a number and are never split."""
    score: FloatArray
    """Shape (n, m), in [0, 1] or NaN."""
    cost_usd: FloatArray
    """Shape (n, m), USD per answer, NaN when not known."""
    confidence: FloatArray
    """Shape (n, m), the model's own confidence in [0, 1], NaN when not known."""
    responses: tuple[tuple[str | None, ...], ...] | None = None
    """Shape (n, m): the answers' texts; None when none are kept."""
    data_hash: str = ""
    """SHA-256 over models, prompts, scores and costs, hexadecimal."""

    @property
    def n(self) -> int:
        """How many prompts there are."""
        return len(self.prompt_ids)

    def at(self, rows: IntArray) -> Outcomes:
        """Those of some prompts, shape (k,), in this order; the hash no longer fits and is left empty."""
        places = rows.tolist()
        return replace(
            self,
            prompt_ids=tuple(self.prompt_ids[row] for row in places),
            datasets=tuple(self.datasets[row] for row in places),
            prompts=tuple(self.prompts[row] for row in places),
            groups=self.groups[rows],
            score=self.score[rows],
            cost_usd=self.cost_usd[rows],
            confidence=self.confidence[rows],
            responses=None if self.responses is None else tuple(self.responses[row] for row in places),
            data_hash="",
        )


# ---------------------------------------------------------------- what is passed in


class Encoder(Protocol):
    """Turns texts into vectors."""

    @property
    def id(self) -> str:
        """Names kind, weights and version; an artifact trained with another id is refused."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Vectors of shape (len(texts), dim), float32, L2-normalised; a text without known words gives zeros."""


class Scorer(Protocol):
    """Gives P(the cheap tier's answer is good enough) for a request, without I/O."""

    @property
    def router(self) -> str:
        """Name and version of the artifact."""

    @property
    def dial(self) -> tuple[DialPoint, ...]:
        """What each threshold gave on held-out prompts, by rising threshold; empty when unknown."""

    def score(self, request: Request) -> Score:
        """The calibrated score of one request, with its explanation."""

    def score_batch(self, requests: Sequence[Request]) -> Sequence[Score]:
        """The same for many, in their order."""


class AnswerJudge(Protocol):
    """Judges an answer without I/O, within a millisecond or so."""

    @property
    def name(self) -> str:
        """Stands in verdicts."""

    @property
    def wants_logprobs(self) -> bool:
        """True when token probabilities make its verdicts better; then upstreams are asked for them."""

    def judge(
        self, request: Request, answer: Answer, *, model: str, p_ahead: float | None = None, early: bool = False
    ) -> Verdict:
        """P(the answer is good), and whether something is plainly wrong with it.

        Args:
            model: the configured name of the model that answered.
            p_ahead: P(its answer will be good) from the request alone.
            early: the answer is the beginning of one; that it ends in mid-sentence says nothing.
        """


@dataclass(frozen=True, slots=True)
class Rated:
    """An answer of a cascade with what is known of it."""

    rung: int
    p_good: float
    text: str
    cost_usd: float | None
    """Of its call; None when not known."""


@dataclass(frozen=True, slots=True)
class NextStep:
    """What a cascade does next."""

    call: int | None
    """The rung to call; None to stop."""
    serve: int | None
    """The rung whose answer is the best by now; None when there is none."""
    why: str
    """In words, after the name of the tier that answered last."""


class Course(Protocol):
    """What to do next in one request's cascade, from all that is known by then; in place of thresholds.

    It never fails: what it cannot weigh goes to the strongest rung.
    """

    def next(self, answers: Sequence[Rated], idle: Sequence[int]) -> NextStep:
        """The step after these answers, in the order in which they came, of the rungs that are left to call."""


class AskedJudge(Protocol):
    """Judges an answer by asking somebody, such as a model: it costs money and time."""

    @property
    def name(self) -> str:
        """Stands in verdicts."""

    async def judge(self, request: Request, answer: Answer, *, model: str) -> Verdict:
        """As `AnswerJudge.judge`, with what it cost. It may raise any `PointsmanError`; its time is limited outside."""


@dataclass(frozen=True, slots=True)
class UpstreamCall:
    """One HTTP call to make, ready to send."""

    model: Model
    dialect: Dialect
    body: bytes
    stream: bool
    headers: tuple[tuple[str, str], ...] = ()
    """Client headers that go along, such as anthropic-version; never the client's key."""
    path: str | None = None
    """What stands in place of the dialect's own path at the end of the endpoint's URL, such as "/embeddings"; None for
    that path itself."""
    method: str = "POST"
    """The HTTP method; only a POST has a body."""


class UpstreamAnswer(Protocol):
    """An answer whose first byte has come. Always closed by `aclose`, which cancels what is still under way."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers, names in lower case."""

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes, decoded from any content encoding, with back-pressure."""

    async def read(self) -> bytes:
        """The whole body, at most the transport's limit."""

    async def aclose(self) -> None:
        """Gives the connection back, or closes it when the body was not read to its end."""


class Transport(Protocol):
    """Sends one call."""

    async def send(self, call: UpstreamCall) -> UpstreamAnswer:
        """The answer once its headers have come.

        Raises:
            UpstreamUnreachable, UpstreamTimeout, UpstreamBroken: no answer came. An error status is an answer.
        """

    async def aclose(self) -> None:
        """Closes every pooled connection."""


class Ledger(Protocol):
    """Where records live. `write` never waits for the disk."""

    def write(self, record: Record) -> None:
        """Takes the record; it is on disk within the documented window (at most 0.5 s)."""

    def write_feedback(self, feedback: Feedback) -> None:
        """Takes the feedback, like `write`."""

    def write_shadow(self, label: ShadowLabel) -> None:
        """Takes the label, like `write`."""

    def write_watch(self, event: WatchEvent) -> None:
        """Takes the event, like `write`."""

    async def decision(self, request_id: str) -> JSONObject | None:
        """One record with its decision, attempts and feedback as plain JSON, None when there is none."""

    async def aclose(self) -> None:
        """Writes what is still waiting, then closes."""


class Traces(Protocol):
    """Where records go as traces. Nothing here waits for a collector."""

    def begin(self, request_id: str, headers: Mapping[str, str]) -> None:
        """Notes the trace that a client's headers (names in lower case) name; the request's spans become part of it."""

    def write(self, record: Record, models: Mapping[str, Model]) -> None:
        """Takes the record.

        Args:
            models: by name.
        """

    async def aclose(self) -> None:
        """Sends what is waiting, then closes."""


Clock: TypeAlias = Callable[[], float]
"""Monotonic seconds."""

WallClock: TypeAlias = Callable[[], datetime]
"""UTC now."""
