"""Keys in the ledger's database."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.record.conftest import START, OpenAt, record_by_hand

from pointsman.errors import BadRequest, LedgerError
from pointsman.record import KeyStore, digest_of
from pointsman.record.database import Database, database_of
from pointsman.record.ledger import prepare
from pointsman.vocabulary import Cost, KeyTerms

NOW = datetime(2026, 11, 25, 4, tzinfo=UTC)
TERMS = KeyTerms(("small",), ("auto",), 1.5, 20.0, 60, 10_000, 4)


@pytest.fixture
def database(ledger_url: str) -> Database:
    return prepare(ledger_url)[0]


@pytest.fixture
def store(database: Database) -> Iterator[KeyStore]:
    store = KeyStore(database)
    yield store
    store.close()


def test_a_key_is_made_once_and_only_its_digest_is_kept(store: KeyStore, database: Database, db_path: Path) -> None:
    secret, made = store.create("alice", TERMS, now=NOW, expires_at=NOW + timedelta(days=30))
    assert re.fullmatch(r"sk-pm-[0-9a-f]{12}-[0-9a-f]{64}", secret), "256 random bits"
    assert secret.startswith(made.prefix)
    assert made.digest == hashlib.sha256(secret.encode()).digest()
    assert store.all() == (made,)
    assert store.all()[0].terms == TERMS
    assert made.digest.hex() not in repr(made) and secret not in repr(made)
    assert repr(made.digest) not in repr(made)
    store.close()
    if database.on_server:
        engine = database.reading()
        with engine.begin() as connection:
            held = str(connection.execute(text("SELECT keys::text FROM keys")).scalars().all()).encode()
        engine.dispose()
    else:
        held = b"".join(part.read_bytes() for part in db_path.parent.iterdir())
    assert b"alice" in held
    assert secret.encode() not in held and secret.rpartition("-")[2].encode() not in held


def test_no_two_keys_are_alike(store: KeyStore) -> None:
    assert len({store.create(f"k{n}", KeyTerms(), now=NOW)[0] for n in range(20)}) == 20


def test_a_name_is_never_used_twice(store: KeyStore) -> None:
    store.create("alice", KeyTerms(), now=NOW)
    store.revoke("alice", now=NOW)
    with pytest.raises(BadRequest, match="not used twice"):
        store.create("alice", KeyTerms(), now=NOW)
    assert len(store.all()) == 1


@pytest.mark.parametrize("called", ["name", "id", "prefix"])
def test_a_key_is_revoked_by_name_or_id_and_keeps_its_first_time(store: KeyStore, called: str) -> None:
    _, made = store.create("alice", KeyTerms(), now=NOW)
    name = {"name": "alice", "id": made.key_id, "prefix": made.prefix}[called]
    assert store.revoke(name, now=NOW + timedelta(hours=1)).revoked_at == NOW + timedelta(hours=1)
    assert store.revoke(name, now=NOW + timedelta(hours=2)).revoked_at == NOW + timedelta(hours=1)


@pytest.mark.parametrize("name", ["bob", "' OR 1=1 --", "", "sk-pm-", "%", "al\x00ice"])
def test_what_is_not_there_cannot_be_revoked(store: KeyStore, name: str) -> None:
    store.create("alice", KeyTerms(), now=NOW)
    with pytest.raises(BadRequest, match="keys list"):
        store.revoke(name, now=NOW)
    assert store.all()[0].revoked_at is None


def test_every_change_gives_another_revision_whatever_the_clock_says(store: KeyStore) -> None:
    seen = [store.revision()]
    store.create("a", KeyTerms(), now=NOW)
    seen.append(store.revision())
    store.create("b", KeyTerms(), now=NOW - timedelta(days=400))
    seen.append(store.revision())
    store.revoke("a", now=NOW - timedelta(days=900))
    seen.append(store.revision())
    store.revoke("a", now=NOW)
    assert seen == [0, 1, 2, 3]
    assert store.revision() == 3


def test_a_database_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(LedgerError):
        KeyStore(database_of(str(tmp_path / "none.db"))).all()


def test_any_text_has_a_digest() -> None:
    assert len({digest_of(key) for key in ("", "a", "a\x00", "ké", "k\udcff", "x" * 1_000_000)}) == 6
    assert {len(digest_of(key)) for key in ("", "x" * 1_000_000)} == {32}


def test_what_each_key_spent_since_a_time(open_at: OpenAt, ledger_url: str) -> None:
    ledger = open_at(ledger_url)
    early = START - timedelta(seconds=1)
    for n, (key, usd, at) in enumerate(
        [("a", 0.5, START), ("a", 0.25, START), ("b", 1.0, START), ("a", 9.0, early), (None, 0.125, START)]
    ):
        record = record_by_hand(n, key_id=key, cost=Cost(usd), created_at=at, router_cost_usd=0.001)
        ledger.write(record)
    ledger.write(replace(record_by_hand(9), key_id="b", cost=Cost(None, "no price"), judge_cost_usd=0.01))
    assert ledger.flush()
    spent, lately = ledger.reader.spending(START, lately=START + timedelta(minutes=1))
    assert lately == {"a": 0.0, "b": pytest.approx(0.01), None: 0.0}
    assert spent == {
        "a": pytest.approx(0.752),
        "b": pytest.approx(1.011),
        None: pytest.approx(0.126),
    }
