"""Encoders behind an OpenAI-compatible endpoint (our own upstream, over loopback) and sentence transformers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import numpy as np
import pytest

from pointsman.errors import EncoderError
from pointsman.features.encoders import open_encoder
from pointsman.features.encoders.openai_endpoint import OpenAIEncoder
from pointsman.features.encoders.sentence_transformer import SentenceTransformerEncoder
from pointsman.testing import Reply, Upstream
from pointsman.vocabulary import FloatArray


def encoder_at(url: str, waits: list[float] | None = None, **settings: int | float | str) -> OpenAIEncoder:
    noted: list[float] = [] if waits is None else waits
    return OpenAIEncoder("embed", base_url=f"{url}/v1", api_key="sk-test", sleep=noted.append, **settings)  # type: ignore[arg-type]


async def encode(encoder: OpenAIEncoder, texts: Sequence[str]) -> FloatArray:
    return await asyncio.to_thread(encoder.encode, texts)


async def test_vectors_come_in_batches_in_order_and_unit_length() -> None:
    async with Upstream() as up:
        encoder = encoder_at(up.url, batch_size=2)
        texts = ["one", "two", "", "three", "four", "five"]
        vectors = await encode(encoder, texts)
        singly = np.concatenate([await encode(encoder_at(up.url), [text]) for text in texts if text])
        batches = [received.json["input"] for received in up.requests[:3]]
    assert batches == [["one", "two"], ["three", "four"], ["five"]]
    assert up.requests[0].path == "/v1/embeddings"
    assert up.requests[0].json == {"model": "embed", "input": ["one", "two"]}
    assert vectors.shape == (6, encoder.dim)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 1, 0, 1, 1, 1], atol=1e-6)
    np.testing.assert_allclose(np.delete(vectors, 2, axis=0), singly, atol=1e-6)


async def test_the_key_is_sent_as_a_bearer_token_and_is_not_shown() -> None:
    async with Upstream() as up:
        encoder = encoder_at(up.url)
        await encode(encoder, ["text"])
        sent = {name.lower(): value for name, value in up.requests[0].headers}
    assert sent["authorization"] == "Bearer sk-test"
    assert "sk-test" not in repr(encoder)


async def test_the_dimension_is_asked_for_once_when_nothing_was_encoded() -> None:
    async with Upstream() as up:
        encoder = encoder_at(up.url)
        assert await asyncio.to_thread(lambda: (encoder.dim, encoder.dim)) == (64, 64)
        assert len(up.requests) == 1
        assert (await encode(encoder, [""])).shape == (1, 64)
        assert len(up.requests) == 1


async def test_an_overloaded_endpoint_is_asked_again_after_the_wait_it_names() -> None:
    waits: list[float] = []
    limited = Reply(status=429, headers={"Retry-After": "7"})
    async with Upstream([limited, Reply(status=503), Reply()]) as up:
        vectors = await encode(encoder_at(up.url, waits), ["text"])
        assert len(up.requests) == 3
    assert vectors.shape == (1, 64)
    assert waits == [7.0, 1.0]


async def test_a_wait_is_cut_at_thirty_seconds_and_attempts_are_counted() -> None:
    waits: list[float] = []
    async with Upstream(Reply(status=429, headers={"Retry-After": "9999"})) as up:
        with pytest.raises(EncoderError, match=r"HTTP status 429 \(3 attempts\)"):
            await encode(encoder_at(up.url, waits, max_attempts=3), ["text"])
    assert waits == [30.0, 30.0]


async def test_a_refusal_is_final_and_says_neither_text_nor_key() -> None:
    refusal = Reply(status=401, error_message="Incorrect API key provided: sk-test for 'my secret text'")
    async with Upstream(refusal) as up:
        with pytest.raises(EncoderError, match="refused with HTTP status 401") as caught:
            await encode(encoder_at(up.url), ["my secret text"])
        assert len(up.requests) == 1
    assert "sk-test" not in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>log in</html>",
        b'{"data": []}',
        b'{"data": [{"index": 1, "embedding": [1.0]}]}',
        b'{"data": [{"index": 0, "embedding": []}]}',
        b'{"data": [{"index": 0, "embedding": [1e999]}]}',
        b'{"data": [{"index": 0, "embedding": "AAAA"}]}',
        b'{"data": null}',
        b"[]",
    ],
)
async def test_an_answer_without_the_vectors_asked_for_is_an_error(body: bytes) -> None:
    async with Upstream(Reply(body=body)) as up:
        with pytest.raises(EncoderError, match="did not answer with 1 vectors"):
            await encode(encoder_at(up.url), ["text"])


async def test_vectors_that_change_their_length_are_an_error() -> None:
    def item(*numbers: float) -> bytes:
        return json.dumps({"data": [{"index": 0, "embedding": list(numbers)}]}).encode()

    async with Upstream([Reply(body=item(3, 4)), Reply(body=item(1, 2, 3))]) as up:
        encoder = encoder_at(up.url)
        np.testing.assert_allclose(await encode(encoder, ["a"]), [[0.6, 0.8]], atol=1e-6)
        with pytest.raises(EncoderError, match="vectors of 2 numbers"):
            await encode(encoder, ["b"])


async def test_a_silent_endpoint_is_given_up_after_its_time() -> None:
    waits: list[float] = []
    async with Upstream(Reply(delay_s=30.0)) as up:
        with pytest.raises(EncoderError, match="no answer, TimeoutError"):
            await encode(encoder_at(up.url, waits, timeout_s=0.05, max_attempts=2), ["text"])
    assert waits == [0.5]


async def test_a_closed_port_is_no_answer() -> None:
    async with Upstream() as up:
        url = up.url
    with pytest.raises(EncoderError, match="no answer, ConnectionRefusedError"):
        await encode(encoder_at(url, max_attempts=1), ["text"])


@pytest.mark.parametrize("url", ["ftp://host/v1", "localhost:8000", "http://"])
def test_a_base_url_must_be_http(url: str) -> None:
    with pytest.raises(EncoderError, match="must begin with http"):
        open_encoder("openai:embed", base_url=url)


async def test_a_specification_opens_the_endpoint_it_is_given() -> None:
    async with Upstream() as up:
        encoder = open_encoder("openai:embed", base_url=f"{up.url}/v1/", api_key="k")
        assert encoder.id == "openai:embed"
        assert await asyncio.to_thread(lambda: encoder.encode(["a", "b"]).shape) == (2, 64)


class LengthModel:
    """Stands where a sentence transformer would: (characters, 1) for each text."""

    def encode(self, sentences: list[str], *, batch_size: int, show_progress_bar: bool) -> FloatArray:
        return np.array([[len(sentence), 1] for sentence in sentences], dtype=np.float32)


def test_a_sentence_transformers_vectors_are_made_unit_length() -> None:
    encoder = SentenceTransformerEncoder("lengths", model=LengthModel())
    assert encoder.id == "sentence-transformers:lengths"
    assert encoder.dim == 2
    np.testing.assert_allclose(
        encoder.encode(["a", "", "aaaaaaa"]), [[0.5**0.5] * 2, [0, 0], [0.98995, 0.141421]], 1e-4
    )
    assert encoder.encode([]).shape == (0, 2)


def test_sentence_transformers_without_the_extra_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sentence_transformers", None)
    with pytest.raises(EncoderError, match=r"pip install 'pointsman\[sentence-transformers\]'"):
        open_encoder("sentence-transformers:all-MiniLM-L6-v2")
