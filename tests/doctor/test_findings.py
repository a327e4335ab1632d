"""What each check says of given facts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from pointsman.doctor import (
    Address,
    AskedFacts,
    Called,
    CascadeFacts,
    ClockReading,
    Finding,
    LabelFacts,
    LedgerFacts,
    RouterFacts,
    State,
    bind_findings,
    called_findings,
    cascade_findings,
    clock_findings,
    connect_all,
    connection_findings,
    date_findings,
    label_findings,
    ledger_findings,
    permission_findings,
    price_findings,
    router_findings,
    tier_findings,
    window_findings,
)
from pointsman.testing import closed_port
from pointsman.vocabulary import Capabilities, Model, Price, Tier

OK, WARNING, FAULT = State.OK, State.WARNING, State.FAULT
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
MakeModel = Callable[..., Model]


def states(findings: list[Finding]) -> list[State]:
    """The states in order; whatever is not fine says what to do."""
    assert all((finding.advice is None) == (finding.state is OK) for finding in findings)
    return [finding.state for finding in findings]


# ---------------------------------------------------------------- models


def listed(make_model: MakeModel, name: str, as_of: str | None) -> Model:
    return replace(make_model(name), price=Price(1.0, 2.0, source="genai-prices 9", as_of=as_of))


def test_prices_are_told_by_their_list_and_its_age(make_model: MakeModel) -> None:
    models = {
        "own": make_model("own"),
        "new": listed(make_model, "new", "2026-11-01"),
        "same": listed(make_model, "same", "2026-11-01"),
        "old": listed(make_model, "old", "2026-01-25"),
        "free": make_model("free", priced=False),
    }
    found = price_findings(models, today=date(2026, 11, 25))
    assert states(found) == [WARNING, OK, OK, WARNING]
    assert [finding.found for finding in found] == [
        "free has no price, so what it costs and saves stays unknown (no price is known)",
        "own: given in the configuration",
        "new, same: genai-prices 9 of 2026-11-01",
        "old: genai-prices 9 of 2026-01-25, 304 days old",
    ]


@pytest.mark.parametrize(
    ("cheap", "strong", "state"), [(1.0, 10.0, OK), (10.0, 1.0, WARNING), (2.0, 2.0, WARNING), (1.0, None, WARNING)]
)
def test_tiers_rise_in_price(make_model: MakeModel, cheap: float, strong: float | None, state: State) -> None:
    models = {
        "a": make_model("a", input_usd=cheap, output_usd=cheap),
        "b": make_model("b", priced=False) if strong is None else make_model("b", input_usd=strong, output_usd=strong),
    }
    found = tier_findings(
        (Tier("low", ("a",)), Tier("high", ("b",))), models, blended=lambda price: price.input_usd_per_mtok
    )
    assert states(found) == [state]


def test_one_tier_leaves_nothing_to_route(make_model: MakeModel) -> None:
    found = tier_findings((Tier("only", ("a",)),), {"a": make_model("a")}, blended=lambda _: 1.0)
    assert states(found) == [WARNING]


def test_windows_that_are_not_known_are_named(make_model: MakeModel) -> None:
    known = make_model("known", capabilities=Capabilities(context_window_tokens=8_000))
    assert window_findings([known])[0].found == "all known; the smallest is known with 8,000 tokens"
    found = window_findings([known, make_model("dim")])
    assert states(found) == [WARNING]
    assert "the context window of dim is not known" in found[0].found


# ---------------------------------------------------------------- cascades

WELL = CascadeFacts("auto", judged=("small",), last="large", scorer="answer scorer of art 1")


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (replace(WELL, scorer=None), "the built-in judge, whose P(good) is not calibrated"),
        (replace(WELL, unscored=("small",)), "does not know the answers of small"),
        (replace(WELL, without_tokens=("small",)), "it judges by the text alone"),
        (replace(WELL, left_out=("middle",)), "tier middle has no threshold and is never called"),
        (replace(WELL, unpriced=("large",), weighs=True), "large has no price"),
    ],
)
def test_what_is_missing_to_judge_well_is_told(facts: CascadeFacts, said: str) -> None:
    [finding] = cascade_findings([facts], None)
    assert states([finding]) == [WARNING]
    assert finding.found.startswith("policy auto: ") and said in finding.found


def test_answers_that_nothing_can_read_are_told_with_what_follows() -> None:
    blind = replace(WELL, scorer=None, without_tokens=("small",))
    assert any("is decided by the request alone" in each.found for each in cascade_findings([blind], None))
    blind = replace(WELL, unscored=("small",), without_tokens=("small",))
    assert any("is decided by the request alone" in each.found for each in cascade_findings([blind], None))


def test_a_cascade_with_all_that_it_needs_is_fine() -> None:
    assert cascade_findings([], AskedFacts("judge", 1.0, 5_000)) == []
    # A threshold does not weigh costs.
    found = cascade_findings([replace(WELL, unpriced=("large",))], AskedFacts("judge", 0.1, 5_000))
    assert states(found) == [OK]
    assert "small are judged by answer scorer of art 1, then large" in found[0].found


def test_a_judge_that_does_not_pay_or_is_not_asked_or_too_slow() -> None:
    def said(facts: CascadeFacts, asked: AskedFacts) -> str:
        fine, warning = cascade_findings([facts], asked)
        assert states([fine, warning]) == [OK, WARNING]
        return warning.found

    assert "costs 25% of one of the strong model" in said(WELL, AskedFacts("judge", 0.25, 5_000))
    assert "never asked" in said(replace(WELL, is_tuned=True), AskedFacts("judge", 0.01, 5_000))
    slow = said(replace(WELL, max_latency_ms=2_000), AskedFacts("judge", None, 5_000))
    assert "within 2,000 ms, and the judge judge may take 5,000" in slow


# ---------------------------------------------------------------- keys and address


@pytest.mark.parametrize(
    ("mode", "secrets", "state"),
    [
        (0o100644, (), OK),
        (0o100600, ("models[0].api_key",), WARNING),
        (0o100640, ("models[0].api_key",), FAULT),
        (0o100604, ("models[0].api_key",), FAULT),
        (None, ("models[0].api_key",), WARNING),
    ],
)
def test_keys_in_a_file_that_others_read_are_a_fault(mode: int | None, secrets: tuple[str, ...], state: State) -> None:
    assert states(permission_findings("p.yaml", mode, secrets)) == [state]


@pytest.mark.parametrize(
    ("loopback", "n_clients", "admin", "state"),
    [(True, 0, False, OK), (False, 0, True, FAULT), (False, 2, False, WARNING), (False, 2, True, OK)],
)
def test_a_public_address_needs_keys(loopback: bool, n_clients: int, admin: bool, state: State) -> None:
    found = bind_findings("h", 8484, loopback=loopback, n_clients=n_clients, has_admin_key=admin)
    assert states(found) == [state]


# ---------------------------------------------------------------- providers


@pytest.mark.parametrize(
    ("status", "failure", "state"),
    [
        (200, None, OK),
        (200, "the answer is HTML", FAULT),
        (400, None, WARNING),
        (401, None, FAULT),
        (402, None, FAULT),
        (403, None, FAULT),
        (404, None, FAULT),
        (429, None, WARNING),
        (503, None, WARNING),
        (529, None, WARNING),
        (None, "no answer within 10 s", FAULT),
    ],
)
def test_a_call_is_judged_by_its_status(status: int | None, failure: str | None, state: State) -> None:
    called = Called("haiku", status, failure, 120.0, 0.00001, key_from="env HAIKU_KEY")
    found = called_findings([called])
    assert states(found) == [state]
    assert ("env HAIKU_KEY" in found[0].found) == (status in (401, 403)), "a refused key is told by its variable"


def test_a_refused_call_without_a_key_asks_for_one() -> None:
    [found] = called_findings([Called("haiku", 401, None, 1.0, None)])
    assert "it needs a key" in found.found
    assert found.advice == "add `api_key: ${VARIABLE}` to the model"


def test_connections_are_made_at_once_within_the_time_limit_even_when_one_hangs() -> None:
    hanging = threading.Event()

    def connect(address: Address, within_s: float) -> str | None:
        if address.host == "hangs":
            hanging.wait(30.0)
        return "the connection was refused" if address.host == "refuses" else None

    steps: list[int] = []
    addresses = [Address("hangs", 1), Address("refuses", 2), Address("answers", 3)]
    outcome = connect_all(addresses, within_s=0.5, connect=connect, done=lambda: steps.append(1))
    hanging.set()
    assert outcome == {
        Address("hangs", 1): "no connection within 0.5 s",
        Address("refuses", 2): "the connection was refused",
        Address("answers", 3): None,
    }
    assert len(steps) == 2
    behind = {address: [address.host] for address in addresses}
    assert states(connection_findings(behind, outcome)) == [OK, FAULT, FAULT]


def test_a_closed_port_refuses() -> None:
    with closed_port() as url:
        address = Address("127.0.0.1", int(url.rpartition(":")[2]))
        assert connect_all([address], within_s=5.0) == {address: "the connection was refused"}


# ---------------------------------------------------------------- router and labels

FACTS = RouterFacts("mine 1", ("faq",), 500, frozenset({"gpt-mini", "gpt-max"}))


def test_a_router_is_for_the_models_it_learned_from_under_either_name() -> None:
    assert states(router_findings(FACTS, [("cheap", "gpt-mini"), ("gpt-max", "deployment-7")], train_with="x")) == [OK]
    found = router_findings(FACTS, [("cheap", "gpt-mini"), ("other", "gpt-9")], train_with="pointsman train X")
    assert states(found) == [WARNING]
    assert "not by cheap and other" in found[0].found
    assert found[0].advice is not None
    assert found[0].advice.endswith("pointsman train X")


def labels(n_least: int | None, n_labels: int, share: float | None) -> Finding:
    [found] = label_findings(LabelFacts("auto", 0.01, 0.95, "strong", n_least, n_labels, share))
    return found


def test_labels_say_what_the_default_does_and_how_many_would_change_it() -> None:
    bundled = labels(373, 0, None)
    assert "no threshold is known to keep 1.0% quality loss, so policy auto sends all to strong" in bundled.found
    assert "needs at least 373 labelled prompts that the router was not trained on;" in bundled.found
    assert "of which it sends 40% to strong" in labels(373, 0, 0.4).found
    assert labels(373, 0, 0.4).state is WARNING, "what others' prompts show is no promise for one's own"
    assert labels(373, 500, 0.4).state is OK
    assert "not trained on, 500 were trained on;" in labels(373, 500, None).found
    assert "no number of labels" in labels(None, 500, 0.4).found


# ---------------------------------------------------------------- ledger

LEDGER = LedgerFacts(
    "p.db", True, True, 5 << 30, schema="2", expected_schema="2", n_records=1_234, mode=0o100600, cannot_write=None
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [OK, OK]),
        ({"exists": False}, [OK, OK]),
        ({"exists": False, "folder_writable": False}, [FAULT, OK]),
        ({"faults": ("row 5 missing from index",)}, [FAULT, OK]),
        ({"schema": "1"}, [FAULT, OK]),
        ({"schema": None}, [FAULT, OK]),
        ({"cannot_write": "cannot write the ledger p.db: it stays locked"}, [FAULT, OK]),
        ({"mode": 0o100644}, [OK, WARNING, OK]),
        ({"mode": None}, [OK, OK]),
        ({"free_bytes": 500 << 20}, [OK, WARNING]),
        ({"free_bytes": 50 << 20}, [OK, FAULT]),
    ],
)
def test_a_ledger_is_judged_by_its_file_and_its_disk(changes: dict[str, object], expected: list[State]) -> None:
    assert states(ledger_findings(replace(LEDGER, **changes))) == expected  # type: ignore[arg-type]


# ---------------------------------------------------------------- clock


@pytest.mark.parametrize(
    ("wall_s", "monotonic_s", "state"), [(3.0, 3.0, OK), (3.4, 3.0, OK), (3603.0, 3.0, WARNING), (-57.0, 3.0, WARNING)]
)
def test_a_wall_clock_that_jumps_is_seen(wall_s: float, monotonic_s: float, state: State) -> None:
    first = ClockReading(NOON, 100.0)
    last = ClockReading(NOON + timedelta(seconds=wall_s), 100.0 + monotonic_s)
    assert states(clock_findings(first, last, not_before=date(2026, 11, 10))) == [state]


def test_a_clock_in_the_past_is_a_fault() -> None:
    past = ClockReading(datetime(2019, 1, 1, tzinfo=UTC), 1.0)
    assert states(clock_findings(past, past, not_before=date(2026, 11, 10))) == [FAULT]


@pytest.mark.parametrize(("off_s", "state"), [(0, OK), (-59, OK), (90, WARNING), (-90, WARNING), (3_600, FAULT)])
def test_the_nearest_provider_clock_is_the_one_compared(off_s: int, state: State) -> None:
    wrong = ("far", NOON - timedelta(days=1), NOON)
    found = date_findings([wrong, ("near", NOON - timedelta(seconds=off_s), NOON)])
    assert states(found) == [state]
    assert "near" in found[0].found
    assert date_findings([]) == []
