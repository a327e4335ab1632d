"""The faults that a gateway meets, and what it must do about each; the rows of `docs/reliability.md`.

Every row was seen in a real client or a real gateway. `D1` is what an upstream does, `D2` what clients, clocks and
operators do.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One fault. `measured` says which benchmark measures it, for what no fast test can hold."""

    fault: str
    expected: str
    measured: str | None = None


ROWS: dict[str, Row] = {
    "D1.1": Row(
        "429 + Retry-After 1 s",
        (
            "wait <= cap if no fallback, else fall back at once; when given up: 429 with Retry-After "
            "kept; breaker not opened by 429 alone, target cooled for Retry-After"
        ),
    ),
    "D1.2": Row(
        "429 Retry-After as date, ms, garbage, negative, 3600",
        "parsed or ignored; never sleep beyond the cap; never crash",
    ),
    "D1.3": Row(
        "429 insufficient_quota",
        "no retry on the same key; fall back; alert metric",
    ),
    "D1.4": Row(
        "500/502/503/504, HTML or empty body",
        "retry/fallback; else 502/503/504 with JSON envelope; HTML never passed on",
    ),
    "D1.5": Row(
        "529 overloaded",
        "as 503; Anthropic callers see 529 overloaded_error, OpenAI callers 503",
    ),
    "D1.6": Row(
        "400 of the caller's making (schema, context, filter)",
        ("no retry; message kept; context -> optional fallback to a larger-context model if configured"),
    ),
    "D1.7": Row(
        "401/403 from upstream",
        (
            "our key is bad: breaker/alert, fall back; the caller gets 502 (not 401: it is not the "
            "caller's key), no upstream key text in the message"
        ),
    ),
    "D1.8": Row(
        "404 model",
        "fall back or 404 with our model name",
    ),
    "D1.9": Row(
        "connection refused",
        "< 50 ms to fallback; counts to breaker",
    ),
    "D1.10": Row(
        "connect timeout (blackhole)",
        "connect timeout (default 5 s, per attempt), then fallback",
    ),
    "D1.11": Row(
        "DNS failure",
        "as 9; DNS never blocks the event loop",
    ),
    "D1.12": Row(
        "TLS: expired, wrong name, self-signed",
        "refused, no downgrade, no retry; clear log",
    ),
    "D1.13": Row(
        "close / RST before an answer; on a pooled idle connection",
        "one free retry on a fresh connection when the pooled one was stale; else 502",
    ),
    "D1.14": Row(
        "half header, garbage protocol, byte-a-time header",
        "502/504 within the first-byte timeout (total, not per read)",
    ),
    "D1.15": Row(
        "never answers",
        "504 at the first-byte timeout; fallback if time is left",
    ),
    "D1.16": Row(
        "slow first byte within the limit",
        "works; TTFT recorded",
    ),
    "D1.17": Row(
        "stall in mid-stream",
        ("visible error at idle timeout (default 60 s, configurable); pings to the client do not reset it"),
    ),
    "D1.18": Row(
        "drip: 1 event/s for minutes",
        "works; total deadline only if set",
    ),
    "D1.19": Row(
        "cut / RST in mid-stream",
        "visible error; partial usage estimated and recorded as *incomplete*; never `[DONE]`",
    ),
    "D1.20": Row(
        "cut after finish_reason, before usage",
        "answer complete for the client; usage estimated, flagged",
    ),
    "D1.21": Row(
        "clean end without `[DONE]`/`message_stop`",
        "after finish_reason: complete (add the terminator); before: visible error",
    ),
    "D1.22": Row(
        "empty stream; JSON or HTML instead of a stream; 200 with an error body",
        ("first-chunk gate: treated as failure -> retry/fallback/502; JSON answer may be converted to a stream"),
    ),
    "D1.23": Row(
        "error as first event / later event",
        "first: retry/fallback with a real status; later: visible error in the caller's format",
    ),
    "D1.24": Row(
        "malformed JSON event; broken UTF-8",
        ("same format: visible error (or skip and count); never crash, never half a JSON to the client"),
    ),
    "D1.25": Row(
        "split UTF-8, CRLF, comments, no space, multi-line data, bytewise, one write",
        "byte-exact text",
    ),
    "D1.26": Row(
        "8 MB event; 10k events; 16 MB answer",
        ("bounded memory (per-stream cap, default 32 MB answer) -> visible error above it; RSS returns"),
    ),
    "D1.27": Row(
        "gzip answer; gzip bomb",
        "ask `identity` upstream; decoded size capped",
    ),
    "D1.28": Row(
        ("truncated JSON, short body, no content-type, HTTP/1.0, BOM, NaN, duplicate keys, depth 5000"),
        "valid JSON to the client or 502; never a 500 without envelope",
    ),
    "D1.29": Row(
        "no usage, negative/strings in usage",
        "estimate (flag), clamp; cost never negative or NaN",
    ),
    "D1.30": Row(
        "`choices: []`, `content: null`",
        "passed on; cascade router must not crash on it",
    ),
    "D1.31": Row(
        "parallel tool calls interleaved; cut inside arguments",
        ("indexes/ids kept; cut = visible error, never a half tool call followed by a finish"),
    ),
    "D1.32": Row(
        "redirect 302 to another host",
        "never followed; 502",
    ),
    "D1.33": Row(
        "events after `[DONE]`, double finish, socket left open after `[DONE]`",
        "stop at the terminator, end the client's answer < 1 s, drop the connection from the pool",
    ),
    "D1.34": Row(
        "upstream flaps: fails N, works",
        ("request succeeds; breaker opens at threshold, half-opens with one probe, closes; no thundering herd"),
    ),
    "D1.35": Row(
        "all upstreams down",
        (
            "fail fast (< 100 ms while open), 503 + Retry-After; upstream calls <= probes only; load "
            "test: upstream calls / client calls <= 1.2"
        ),
    ),
    "D2.36": Row(
        "client leaves: before first byte, in mid-stream, non-streaming",
        ("upstream closed < 1 s ; row recorded as cancelled with usage so far; slot, budget hold and memory freed"),
    ),
    "D2.37": Row(
        "slow reader (never reads)",
        "back-pressure to the upstream; per-stream buffer bound; write timeout; others unaffected",
    ),
    "D2.38": Row(
        "slow header / slow body / idle connection",
        "closed in <= 30 s header, <= 60 s body idle; others served",
    ),
    "D2.39": Row(
        "10,000 connections (mostly idle streams); limit of files reached",
        "503 + Retry-After above the limit, no crash at the limit of files, and room is used again",
        "`benchmarks/idle_streams.py`",
    ),
    "D2.40": Row(
        "overload: 3x capacity",
        "bounded queue, shed with 503 in < 10 ms; the accepted are served; then all are again",
        "`benchmarks/overload.py`",
    ),
    "D2.41": Row(
        "DB locked (another writer holds it 30 s)",
        (
            "requests unaffected (recording is off the hot path); queue bounded; dropped rows counted in "
            "a metric; none lost if the lock ends within the buffer"
        ),
    ),
    "D2.42": Row(
        "the ledger's disk is full, or gives I/O errors",
        "requests go on; recording degrades, metric and health say so; with room again it resumes without a restart",
    ),
    "D2.43": Row(
        "PostgreSQL or Redis down at the start, dies later, swallows everything, takes 2 s, resets in a transaction",
        (
            "no request waits for it longer than 250 ms; records go to a bounded spool and reach it once; keys and "
            "budgets fail open or closed as configured (`ledger.when_away`, `redis.on_failure`); reconnects with "
            "back-off; liveness stays true, readiness as configured; nothing is counted twice"
        ),
    ),
    "D2.44": Row(
        "kill -9 during writes, 100x",
        (
            "no acknowledged row lost (or <= the documented async window), integrity_check ok, restart "
            "< 3 s, budgets not reset"
        ),
        "`benchmarks/kill_ledger.py`",
    ),
    "D2.45": Row(
        "SIGTERM during streams",
        (
            "stop accepting at once, streams finish within the grace time (default 30 s), then "
            "visible error; recorder flushed; exit 0; second SIGTERM = now"
        ),
    ),
    "D2.46": Row(
        ("SIGHUP / reload with bad config (syntax, unknown field, missing env, duplicate model, bad price)"),
        (
            "old config stays, error names file + line + field, metric; start with a bad config exits"
            " non-zero before binding"
        ),
    ),
    "D2.47": Row(
        "reload with good config under load",
        "0 failed requests, in-flight ones keep their old target",
    ),
    "D2.48": Row(
        "clock jumps +1 h, -1 h; DST; month end",
        ("timeouts and breakers on the monotonic clock; no negative durations in metrics"),
    ),
    "D2.49": Row(
        "concurrent requests against a nearly spent budget (50 at once)",
        ("atomic reservation of the maximum cost before the call, settled after; overspend <= one request per replica"),
    ),
    "D2.50": Row(
        "SSE + retries + cancel soak, 1 h or 1e6 requests",
        "RSS slope ~0 (< 5 % after warm-up), fds constant, tasks constant",
        "`benchmarks/soak_gateway.py`",
    ),
    "D2.51": Row(
        "router model artifact missing, corrupt, wrong version; router slow or raising",
        "refused at start and at reload; slow or raising: default route, left out for a while; metric",
    ),
    "D2.52": Row(
        "one poisoned request (huge, odd)",
        "only that request fails; others are served meanwhile",
    ),
    "D2.53": Row(
        "Prometheus scrape with many keys/models; label injection",
        "bounded label values; scrape < 100 ms; escaped",
    ),
    "D2.54": Row(
        "two processes on one SQLite file; upgrade/downgrade of schema",
        "works or refuses clearly; migrations idempotent, killed half-way recover",
    ),
    "D2.55": Row(
        "fork/worker crash",
        "others serve; restarted at once, with back-off when it ends again; metric; no counter falls",
    ),
}
