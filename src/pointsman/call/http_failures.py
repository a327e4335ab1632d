"""What went wrong with a call, in words that may reach a caller: without address, key or the upstream's own bytes."""

from __future__ import annotations

import os
import ssl

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from pointsman.errors import UpstreamBroken, UpstreamError, UpstreamTimeout, UpstreamUnreachable
from pointsman.vocabulary import Timeouts


def timed_out(error: TimeoutError, model: str, timeouts: Timeouts, headers_within_s: float) -> UpstreamTimeout:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return UpstreamTimeout(
            f"no connection to model {model!r} within {timeouts.connect_s:g} s", model=model, connected=False
        )
    return UpstreamTimeout(f"model {model!r} sent no answer within {headers_within_s:g} s", model=model)


def failure(error: Exception, model: str) -> UpstreamError:
    """What went wrong, without the address: the message may reach a caller who must not learn it."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return UpstreamUnreachable(f"the host name of model {model!r} was not found", model=model)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
        # "Hostname mismatch, certificate is not valid for '...'": what follows the comma names the host.
        said = cause.verify_message if isinstance(cause, ssl.SSLCertVerificationError) else "certificate refused"
        why = said.partition(",")[0].lower()
        return UpstreamUnreachable(f"TLS to model {model!r} failed: {why}", model=model, retryable=False)
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return UpstreamUnreachable(f"TLS to model {model!r} failed: no handshake", model=model, retryable=False)
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        why = "no route" if number is None else os.strerror(number)
        return UpstreamUnreachable(f"no connection to model {model!r}: {why.lower()}", model=model)
    if isinstance(error, aiohttp.InvalidURL | UnicodeError):
        return UpstreamUnreachable(f"the URL configured for model {model!r} is not valid", model=model, retryable=False)
    if isinstance(error, HttpProcessingError):
        return UpstreamBroken(f"model {model!r} sent something that is not HTTP", model=model)
    return UpstreamBroken(f"model {model!r} closed the connection before it answered", model=model)


def broken_body(error: Exception, model: str) -> str:
    if isinstance(error, aiohttp.ClientPayloadError):
        return f"the answer of model {model!r} broke off or could not be decoded"
    return f"the connection to model {model!r} was lost in mid-answer"
