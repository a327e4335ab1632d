"""Every error that Pointsman raises on purpose, drawn once.

    PointsmanError
    ├── ConfigError               a file, a key or a value of the configuration is wrong
    ├── BadRequest                the caller's request cannot be read
    │   ├── NotFound              there is nothing at this path, or under this id
    │   └── MethodNotAllowed      the path is there, for other methods
    ├── AuthenticationError       the caller's key is missing or unknown
    ├── PermissionDenied          the caller's key is known, and does not open this
    ├── RateLimited               the caller has too much under way, or had too much in the last minute
    ├── BudgetSpent               the caller's budget, or everybody's, has nothing left
    ├── UnknownModel              the caller named a model or policy that is not configured
    ├── NoModelAvailable          no configured model can serve this request
    ├── ArtifactError             a router artifact is missing, damaged or of another version
    ├── EncoderError              an encoder could not embed the text
    ├── UpstreamError             a model did not answer
    │   ├── UpstreamUnreachable   no connection, name or TLS handshake
    │   ├── UpstreamTimeout       connect, first byte, idle or total time is over
    │   ├── UpstreamRefused       the model answered with an error status
    │   ├── UpstreamBusy          the model's max_concurrency calls are all under way, and the wait was too long
    │   ├── UpstreamPaused        the model failed lately, or asked for a pause, and is left alone for a while
    │   ├── UpstreamBroken        the answer ended early or cannot be read
    │   └── AnswerRejected        the answer had begun to reach the client, and was judged bad at its end
    ├── DataError                 a data set is missing, unreadable or too small for what was asked
    ├── LedgerError               the ledger cannot be opened, read or migrated
    │   └── LedgerAway            the ledger's server cannot be reached at the moment, or does not answer in time
    ├── Overloaded                the gateway has more requests than it can serve
    ├── SharedStateAway           the store that replicas share is away, and nothing may be guessed in its place
    ├── Stopping                  the gateway is being stopped, and the time for answers under way is over
    └── InternalError             a fault of ours; the log has the reason

`status` is the HTTP status the gateway gives the caller; messages never hold a prompt or a key.
"""

from __future__ import annotations


class PointsmanError(Exception):
    """Base of every error raised on purpose.

    Attributes:
        status: the HTTP status a gateway gives the caller.
        code: a short machine-readable word, from a closed set (safe as a metric label).
    """

    status: int = 500
    code: str = "internal_error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ConfigError(PointsmanError):
    """The configuration is wrong; the message names file, line, key path, what was expected and what to do."""

    code = "config_error"


class BadRequest(PointsmanError):
    """The caller's request cannot be read. `param` is the JSON path at fault, when there is one."""

    status = 400
    code = "invalid_request"

    def __init__(self, message: str, *, param: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.param = param
        self.status = status


class NotFound(BadRequest):
    """There is nothing at this path, or under this id."""

    code = "not_found"

    def __init__(self, message: str) -> None:
        super().__init__(message, status=404)


class MethodNotAllowed(BadRequest):
    """The path is there, for other methods. `allowed` names them."""

    code = "method_not_allowed"

    def __init__(self, message: str, *, allowed: tuple[str, ...]) -> None:
        super().__init__(message, status=405)
        self.allowed = allowed


class AuthenticationError(PointsmanError):
    """The caller's key is missing or unknown."""

    status = 401
    code = "invalid_api_key"


class PermissionDenied(PointsmanError):
    """The caller's key is known, and does not open this."""

    status = 403
    code = "permission_denied"


class RateLimited(PointsmanError):
    """The caller has too much under way, or had too much in the last minute; nothing was called.

    Attributes:
        retry_after_s: when it is worth while to come back, in seconds.
    """

    status = 429
    code = "rate_limit_exceeded"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class BudgetSpent(PointsmanError):
    """The caller's budget, or everybody's, has nothing left. OpenAI's clients are told 429, as OpenAI itself does.

    Attributes:
        retry_after_s: seconds until the budget begins anew.
    """

    status = 402
    code = "insufficient_quota"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class UnknownModel(PointsmanError):
    """The caller named a model, tier or policy that is not configured."""

    status = 404
    code = "model_not_found"


class NoModelAvailable(PointsmanError):
    """No configured model can serve this request; the message says what ruled each one out."""

    status = 400
    code = "no_model_available"


class ArtifactError(PointsmanError):
    """A router artifact is missing, damaged, or made for another version of the features or encoder."""

    code = "router_artifact"


class EncoderError(PointsmanError):
    """An encoder could not embed the text."""

    code = "encoder"


class UpstreamError(PointsmanError):
    """A model did not answer.

    Attributes:
        model: the configured name of the model.
        retryable: True when the same call may succeed when it is made again.
        retry_after_s: how long the upstream asked to wait, in seconds, None when it did not.
    """

    status = 502
    code = "upstream_error"

    def __init__(self, message: str, *, model: str, retryable: bool = True, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.model = model
        self.retryable = retryable
        self.retry_after_s = retry_after_s


class UpstreamUnreachable(UpstreamError):
    """No connection, no name, or no TLS handshake."""

    code = "upstream_unreachable"


class UpstreamTimeout(UpstreamError):
    """The time for connecting, the first byte, the next byte or the whole call is over.

    Attributes:
        connected: False when there was no connection in time, so that nothing was sent and nothing can be billed.
    """

    status = 504
    code = "upstream_timeout"

    def __init__(self, message: str, *, model: str, connected: bool = True) -> None:
        super().__init__(message, model=model)
        self.connected = connected


class UpstreamRefused(UpstreamError):
    """The model answered with an error status.

    Attributes:
        upstream_status: the HTTP status the upstream sent.
        body: the upstream's error body, at most 64 KiB of it, in the upstream's dialect.
        reason: "context_too_long" or "insufficient_quota" where the body said so, else None.
    """

    code = "upstream_refused"

    def __init__(
        self,
        message: str,
        *,
        model: str,
        upstream_status: int,
        body: bytes = b"",
        status: int = 502,
        retryable: bool = False,
        retry_after_s: float | None = None,
        reason: str | None = None,
    ) -> None:
        super().__init__(message, model=model, retryable=retryable, retry_after_s=retry_after_s)
        self.reason = reason
        self.status = status
        self.upstream_status = upstream_status
        self.body = body


class UpstreamBusy(UpstreamError):
    """All of the model's `max_concurrency` calls are under way, and none ended within the wait. Nothing was sent."""

    status = 503
    code = "upstream_busy"


class UpstreamPaused(UpstreamError):
    """Every model that could serve failed lately, or asked for a pause; nothing was sent.

    The status is 429 where they all only asked for a pause, else 503; `retry_after_s` says when the next may be called.
    """

    code = "upstream_paused"

    def __init__(self, message: str, *, model: str, retry_after_s: float, status: int = 503) -> None:
        super().__init__(message, model=model, retry_after_s=retry_after_s)
        self.status = status


class UpstreamBroken(UpstreamError):
    """The answer ended early, or cannot be read."""

    code = "upstream_broken"


class AnswerRejected(UpstreamError):
    """The answer had begun to reach the client when it was judged not good enough; asking again may give a better."""

    code = "answer_rejected"


class DataError(PointsmanError):
    """A data set is missing, unreadable, or too small for what was asked; the message says what to do."""

    code = "data_error"


class LedgerError(PointsmanError):
    """The ledger cannot be opened, read or migrated."""

    code = "ledger_error"


class LedgerAway(LedgerError):
    """The ledger's server cannot be reached at the moment, or does not answer in time; the same may work later.

    Attributes:
        retry_after_s: when it is worth while to come back, in seconds.
    """

    status = 503
    code = "ledger_away"

    def __init__(self, message: str, *, retry_after_s: float = 5.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Overloaded(PointsmanError):
    """The gateway has more requests than it can serve at the moment; nothing was sent anywhere.

    Attributes:
        retry_after_s: when it is worth while to come back, in seconds.
    """

    status = 503
    code = "gateway_overloaded"

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SharedStateAway(PointsmanError):
    """The store that replicas share does not answer, and what it knows may not be guessed; nothing was called.

    Attributes:
        retry_after_s: when it is worth while to come back, in seconds.
    """

    status = 503
    code = "shared_state_away"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Stopping(PointsmanError):
    """The gateway is being stopped, and the time for answers under way is over."""

    status = 503
    code = "gateway_stopping"


class InternalError(PointsmanError):
    """A fault of ours. The message names the request's id, under which the log has the reason, and nothing else."""
