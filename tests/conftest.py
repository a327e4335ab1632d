"""What every test may use: models, tiers and requests made by hand."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.fleet import Fleet
from tests.postgres import MISSING, PostgresServer, running_server
from tests.redis_server import RedisServer, redis_server

from pointsman.vocabulary import (
    Capabilities,
    Dialect,
    Endpoint,
    Hints,
    Model,
    Price,
    Request,
    Role,
    Tier,
    Turn,
)

EMPTY = """
DO $$ DECLARE name text; BEGIN
  FOR name IN SELECT relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND NOT relispartition AND relkind IN ('r', 'p')
      AND relname <> 'ledger_version'
  LOOP EXECUTE 'DELETE FROM ' || name; END LOOP;
  PERFORM setval('records_id_seq', 1, false);
END $$
"""

MakeModel = Callable[..., Model]
MakeRequest = Callable[..., Request]


@pytest.fixture
def make_model() -> MakeModel:
    """Builds a model: 1 and 2 USD per million tokens in and out, all dialects, unless told otherwise."""

    def make(
        name: str = "cheap-model",
        *,
        input_usd: float = 1.0,
        output_usd: float = 2.0,
        capabilities: Capabilities = Capabilities(),
        dialects: tuple[Dialect, ...] = tuple(Dialect),
        priced: bool = True,
    ) -> Model:
        return Model(
            name=name,
            provider="openai-compatible",
            provider_model=f"{name}-at-provider",
            endpoints={dialect: Endpoint(f"http://127.0.0.1:9/{dialect}") for dialect in dialects},
            price=Price(input_usd, output_usd) if priced else None,
            price_missing=None if priced else "no price is known",
            capabilities=capabilities,
        )

    return make


@pytest.fixture
def make_request() -> MakeRequest:
    """Builds a chat request of one user turn with given token counts."""

    def make(
        text: str = "What are your opening hours?",
        *,
        dialect: Dialect = Dialect.OPENAI_CHAT,
        n_total_tokens: int = 10,
        n_images: int = 0,
        tools: tuple[str, ...] = (),
        json_schema: bool = False,
        max_output_tokens: int | None = None,
        hints: Hints = Hints(),
        raw: bytes = b"{}",
    ) -> Request:
        return Request(
            dialect=dialect,
            endpoint="/v1/chat/completions",
            model="auto",
            raw=raw,
            body={},
            turns=(Turn(Role.USER, text, n_images=n_images),),
            tools=tools,
            json_schema=json_schema,
            json_output=json_schema,
            max_output_tokens=max_output_tokens,
            n_images=n_images,
            n_prompt_tokens=n_total_tokens,
            n_total_tokens=n_total_tokens,
            hints=hints,
        )

    return make


@pytest.fixture
def two_tiers() -> tuple[Tier, ...]:
    """cheap (cheap-model) and strong (strong-model, strong-spare)."""
    return (Tier("cheap", ("cheap-model",)), Tier("strong", ("strong-model", "strong-spare")))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server, whose database "ledger" is one without records."""
    from pointsman.record import prepare

    try:
        with running_server() as server:
            server.run("CREATE DATABASE ledger")
            prepare(server.url("ledger"))
            yield server
    except FileNotFoundError:
        pytest.fail(MISSING)


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    """The address of a ledger without records; the tests of one process share it, one after the other."""
    postgres.run(EMPTY, "ledger")
    return postgres.url("ledger")


@pytest.fixture
def empty_postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """The address of a database without tables."""
    name = postgres.make_database()
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture
def postgres_alone() -> Iterator[PostgresServer]:
    """A server of this test's own, to be stopped and started, with an empty ledger "ledger"."""
    from pointsman.record import prepare

    try:
        with running_server() as server:
            server.run("CREATE DATABASE ledger")
            prepare(server.url("ledger"))
            yield server
    except FileNotFoundError:
        pytest.fail(MISSING)


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A Redis server whose data are gone when it is killed."""
    with tempfile.TemporaryDirectory(prefix="pm") as folder, redis_server(Path(folder)) as server:
        yield server


@pytest.fixture
def fleet() -> Fleet:
    """Replicas of one process, to be opened over a Redis."""
    return Fleet()
