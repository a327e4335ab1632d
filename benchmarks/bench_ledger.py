"""What the ledger costs: a `write()` on the request's path, and rows per second in the writer thread.

    python benchmarks/bench_ledger.py [--records 18000] [--json]

Records carry a decision as the router makes it: three alternatives, eight contributions, ten rules.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from pointsman.record import open_ledger
from pointsman.vocabulary import (
    Alternative,
    Attempt,
    AttemptStatus,
    Contribution,
    Cost,
    Decision,
    Dialect,
    Record,
    RuleOutcome,
    TaskKind,
    Usage,
)


def typical(n: int) -> Record:
    """The n-th record."""
    usage = Usage(300, 100)
    why = "cheapest model of its tier, and good enough with p 0.90 where 0.70 is asked"
    decision = Decision(
        request_id=f"req_{n:032x}",
        model="small",
        tier="cheap",
        policy="auto",
        policy_kind="threshold",
        reason="the cheap tier is good enough: p 0.90, threshold 0.70",
        reason_code="score",
        p_cheap=0.9,
        threshold=0.7,
        task_kind=TaskKind.OTHER,
        moved=tuple(Contribution(f"feature_{k}", 1.0, 0.3, "asks for a proof (-0.8)") for k in range(8)),
        rules=tuple(RuleOutcome(f"rule {k}", "cheap", "observe", False, "300 prompt tokens, 60") for k in range(10)),
        alternatives=tuple(Alternative(f"model-{k}", "cheap", 0.001, 0.8, k == 0, why) for k in range(3)),
        estimated_cost_usd=0.001,
        estimated_baseline_cost_usd=0.01,
        decide_ms=0.4,
    )
    attempt = Attempt("small", "cheap", AttemptStatus.OK, 200, None, usage, Cost(0.001), 30.0, 200.0)
    return Record(
        request_id=decision.request_id,
        created_at=datetime.now(UTC),
        endpoint="/v1/chat/completions",
        dialect=Dialect.OPENAI_CHAT,
        requested_model="auto",
        status="ok",
        http_status=200,
        decision=decision,
        attempts=(attempt,),
        usage=usage,
        cost=Cost(0.001),
        baseline_model="large",
        baseline_cost=Cost(0.01),
        tags=("demo",),
        decide_ms=0.4,
        first_byte_ms=30.0,
        total_ms=200.0,
    )


def measure(n_records: int) -> dict[str, float]:
    """Figures of one run on a fresh file in the temporary folder."""
    made = [typical(n) for n in range(n_records)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "ledger.db")
        started_s = time.perf_counter()
        ledger = open_ledger(f"sqlite:///{path}")
        opened_s = time.perf_counter() - started_s
        took_us: list[float] = []
        started_s = time.perf_counter()
        for record in made:
            before_ns = time.perf_counter_ns()
            ledger.write(record)
            took_us.append((time.perf_counter_ns() - before_ns) / 1e3)
        accepted_s = time.perf_counter() - started_s
        if not ledger.flush(120.0) or ledger.stats.n_dropped:
            raise RuntimeError(f"not everything was written: {ledger.stats}")
        flushed_s = time.perf_counter() - started_s
        ledger.close()
        took_us.sort()
        return {
            "n_records": n_records,
            "open_ms": opened_s * 1e3,
            "write_p50_us": took_us[n_records // 2],
            "write_p99_us": took_us[n_records * 99 // 100],
            "write_mean_us": accepted_s / n_records * 1e6,
            "records_per_s": n_records / flushed_s,
            "bytes_per_record": path.stat().st_size / n_records,
        }


def main() -> int:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description="what the ledger costs")
    parser.add_argument("--records", type=int, default=18_000)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = measure(asked.records)
    if asked.json:
        print(json.dumps(found, indent=2))
    else:
        for name, value in found.items():
            print(f"{name:18} {value:,.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
