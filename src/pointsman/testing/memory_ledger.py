"""A ledger that keeps records in a list."""

from __future__ import annotations

from dataclasses import asdict

from pointsman.vocabulary import Feedback, JSONObject, Record


class MemoryLedger:
    """A `Ledger` without a database, for tests.

    Attributes:
        records: every record, in the order written.
        feedback: every feedback, likewise.
        closed: whether `aclose` was called.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.feedback: list[Feedback] = []
        self.closed = False

    def write(self, record: Record) -> None:
        """Keeps the record."""
        self.records.append(record)

    def write_feedback(self, feedback: Feedback) -> None:
        """Keeps the feedback."""
        self.feedback.append(feedback)

    async def decision(self, request_id: str) -> JSONObject | None:
        """The record of a request with its feedback, None when there is none."""
        for record in self.records:
            if record.request_id == request_id:
                out = asdict(record)
                out["feedback"] = [asdict(said) for said in self.feedback if said.request_id == request_id]
                return out
        return None

    async def aclose(self) -> None:
        """Notes that it was closed."""
        self.closed = True
