"""The built-in static embedding, and what happens when its files are not as they should be."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from pointsman.errors import EncoderError
from pointsman.features.encoders import StaticEncoder, open_encoder
from pointsman.features.encoders.capped import MAX_CHARS, capped
from pointsman.features.encoders.static import BUILTIN_FOLDER

ENCODER = StaticEncoder()


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUILTIN_FOLDER, tmp_path / "encoder"))


def tiny(folder: Path) -> Path:
    """An encoder of three pieces and two dimensions, with numbers one can follow."""
    folder.mkdir()
    rows = np.array([[0, 0], [100, 0], [0, 50]], dtype=np.int8)
    save_file({"rows": rows, "scales": np.array([1, 0.03, 0.08], dtype=np.float32)}, folder / "vectors.safetensors")
    tokenizer = json.loads((BUILTIN_FOLDER / "tokenizer.json").read_bytes())
    tokenizer["model"]["vocab"] = {"[UNK]": 0, "red": 1, "blue": 2}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    return seal(folder, name="tiny", dim=2)


def seal(folder: Path, *, name: str, dim: int) -> Path:
    files = {
        file: {"sha256": hashlib.sha256((folder / file).read_bytes()).hexdigest()}
        for file in ("vectors.safetensors", "tokenizer.json")
    }
    card = {"format": 1, "name": name, "dim": dim, "files": files}
    (folder / "encoder.json").write_text(json.dumps(card))
    return folder


def test_a_text_is_the_normalised_mean_of_its_pieces(tmp_path: Path) -> None:
    encoder = StaticEncoder(tiny(tmp_path / "tiny"))
    # red = (3, 0) and blue = (0, 4): their mean (1.5, 2) has the direction (0.6, 0.8).
    vectors = encoder.encode(["Red blue!", "red", "", "green"])
    np.testing.assert_allclose(vectors, [[0.6, 0.8], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])


def test_the_id_names_both_files(tmp_path: Path) -> None:
    folder = tiny(tmp_path / "tiny")
    first = StaticEncoder(folder).id
    (folder / "tokenizer.json").write_text((folder / "tokenizer.json").read_text() + "\n")
    seal(folder, name="tiny", dim=2)
    assert first.startswith("static:tiny:")
    assert StaticEncoder(folder).id != first


def test_the_builtin_has_unit_vectors_and_zeros_for_nothing_known() -> None:
    vectors = ENCODER.encode(["How do I reset my password?", "", "\U0001f700"])
    assert vectors.dtype == np.float32
    assert vectors.shape == (3, ENCODER.dim) == (3, 256)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 0, 0], atol=1e-6)


def test_texts_of_one_meaning_are_closer_than_others() -> None:
    cat, kitten, integral = ENCODER.encode(
        ["The cat sleeps on the sofa.", "A kitten is napping on the couch.", "Compute the integral of x squared."]
    )
    assert cat @ kitten > 0.4
    assert cat @ kitten > cat @ integral + 0.3


def test_no_texts_give_no_vectors() -> None:
    assert ENCODER.encode([]).shape == (0, 256)


def test_the_package_data_stay_under_ten_megabytes() -> None:
    assert sum(path.stat().st_size for path in BUILTIN_FOLDER.iterdir()) <= 10_000_000


def test_opening_reads_only_the_card(copied: Path) -> None:
    (copied / "vectors.safetensors").unlink()
    encoder = StaticEncoder(copied)
    assert encoder.dim == 256
    with pytest.raises(EncoderError, match=r"vectors\.safetensors cannot be read"):
        encoder.encode(["text"])


def test_a_changed_byte_is_refused(copied: Path) -> None:
    path = copied / "vectors.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(EncoderError, match="SHA-256"):
        StaticEncoder(copied).warm()


def test_a_cut_file_is_refused(copied: Path) -> None:
    path = copied / "tokenizer.json"
    os.truncate(path, 1000)
    with pytest.raises(EncoderError, match="SHA-256"):
        StaticEncoder(copied).warm()


def test_a_file_that_is_no_safetensors_is_refused(tmp_path: Path) -> None:
    folder = tiny(tmp_path / "tiny")
    (folder / "vectors.safetensors").write_bytes(b"not safetensors")
    with pytest.raises(EncoderError, match="'rows' and 'scales'"):
        StaticEncoder(seal(folder, name="tiny", dim=2)).warm()


def test_vectors_of_another_shape_than_the_card_says_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"expected int8 rows of shape \(3, 7\)"):
        StaticEncoder(seal(tiny(tmp_path / "tiny"), name="tiny", dim=7)).warm()


def test_scales_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    folder = tiny(tmp_path / "tiny")
    arrays = load_file(folder / "vectors.safetensors")
    arrays["scales"][1] = np.nan
    save_file(arrays, folder / "vectors.safetensors")
    with pytest.raises(EncoderError, match="finite"):
        StaticEncoder(seal(folder, name="tiny", dim=2)).warm()


def test_another_kind_of_tokenizer_is_refused(tmp_path: Path) -> None:
    folder = tiny(tmp_path / "tiny")
    tokenizer = json.loads((folder / "tokenizer.json").read_bytes())
    tokenizer["normalizer"]["lowercase"] = False
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(EncoderError, match="not an uncased WordPiece tokenizer"):
        StaticEncoder(seal(folder, name="tiny", dim=2)).warm()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "cannot be read as JSON"),
        (b"[]", "format list"),
        (b'{"format": 9}', "format 9"),
        (b'{"format": 1, "name": "x", "dim": 2}', "lacks"),
        (b'{"format": 1, "name": "x", "dim": 0, "files": {}}', "lacks|positive"),
    ],
)
def test_a_wrong_card_is_refused(copied: Path, content: bytes, message: str) -> None:
    (copied / "encoder.json").write_bytes(content)
    with pytest.raises(EncoderError, match=message):
        StaticEncoder(copied)


def test_a_folder_without_a_card_is_no_encoder(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="is no static encoder"):
        open_encoder(f"static:{tmp_path}")


def test_several_threads_may_open_and_encode_at_once() -> None:
    encoder, texts = StaticEncoder(), [f"question number {n} about größe" for n in range(64)]
    with ThreadPoolExecutor(8) as pool:
        vectors = list(pool.map(lambda text: encoder.encode([text])[0], texts))
    np.testing.assert_array_equal(np.stack(vectors), ENCODER.encode(texts))


def test_a_long_text_is_read_at_both_ends() -> None:
    text = "a" * 10_000 + "b" * 100_000 + "c" * 10_000
    short = capped(text)
    assert len(short) == MAX_CHARS + 1
    assert short == "a" * (MAX_CHARS // 2) + " " + "c" * (MAX_CHARS // 2)
    assert capped("x" * MAX_CHARS) == "x" * MAX_CHARS


def test_a_hundred_thousand_tokens_are_embedded_as_their_two_ends() -> None:
    text = "An ordinary sentence, with signs and 12 numbers. " * 8_000
    np.testing.assert_array_equal(ENCODER.encode([text]), ENCODER.encode([capped(text)]))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=80), max_size=5))
def test_any_texts_give_finite_vectors_one_by_one_as_together(texts: list[str]) -> None:
    together = ENCODER.encode(texts)
    assert np.isfinite(together).all()
    lengths = np.linalg.norm(together, axis=1)
    assert ((np.abs(lengths - 1) < 1e-5) | (lengths == 0)).all()
    for text, vector in zip(texts, together, strict=True):
        np.testing.assert_array_equal(ENCODER.encode([text])[0], vector)


@pytest.mark.parametrize("spec", ["", "none", "openai", "openai:", "sentence-transformers:", "word2vec:x"])
def test_an_unknown_specification_lists_the_known_ones(spec: str) -> None:
    with pytest.raises(EncoderError, match="expected static, static:FOLDER"):
        open_encoder(spec)


def test_static_is_the_builtin() -> None:
    assert open_encoder("static").id == ENCODER.id
