"""Artifacts on disk: written whole, read back exactly, and refused when anything does not fit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tests.score.made import FIT, plain_router, read, router

from pointsman.errors import ArtifactError
from pointsman.score import BUILTIN, load, save
from pointsman.score.artifact import MAX_CARD_BYTES, read_card


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(tmp_path / "artifact", router())
    return tmp_path / "artifact"


def edit_card(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "card.json"
    raw = json.loads(path.read_bytes())
    change(raw)
    path.write_text(json.dumps(raw))


def edit_arrays(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Changes the arrays and makes the card's hash fit again."""
    path = folder / "model.safetensors"
    arrays: dict[str, Any] = load_file(path)
    change(arrays)
    save_file(arrays, path)
    content = path.read_bytes()
    file = {"sha256": hashlib.sha256(content).hexdigest(), "n_bytes": len(content)}
    edit_card(folder, lambda raw: raw["files"].update({"model.safetensors": file}))


def test_what_is_saved_is_loaded(folder: Path) -> None:
    first, again = router(), load(folder, **FIT)
    inputs = read(["cat dog tree", "proof of a lemma", ""])
    for row, text in enumerate(inputs.texts):
        tiers = [["small"], ["middle"], ["large"]]
        scores = [
            each.for_tiers(tiers).score(inputs.features[row], inputs.embeddings[row], text) for each in (first, again)
        ]
        assert scores[0] == scores[1]
    assert again.card.model_copy(update={"files": {}}) == first.card
    assert again.trained_prompts.tolist() == [5, 2**63 + 1]
    assert sorted(path.name for path in folder.iterdir()) == ["card.json", "model.safetensors"]


def test_the_same_router_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    save(tmp_path / "second", router())
    for name in ("card.json", "model.safetensors"):
        assert (tmp_path / "second" / name).read_bytes() == (folder / name).read_bytes()


def test_a_tokenizer_travels_with_it_and_is_checked(tmp_path: Path) -> None:
    save(tmp_path / "artifact", router(), tokenizer=b"{}")
    load(tmp_path / "artifact", **FIT)
    (tmp_path / "artifact" / "tokenizer.json").write_bytes(b"[]")
    with pytest.raises(ArtifactError, match=r"tokenizer\.json is damaged"):
        load(tmp_path / "artifact", **FIT)


def test_an_artifact_is_not_overwritten_unless_asked(folder: Path) -> None:
    with pytest.raises(ArtifactError, match="exists"):
        save(folder, router())
    save(folder, router(), replace=True)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    load(folder, **FIT)


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ArtifactError, match="cannot be written"):
        save(tmp_path / "file" / "artifact", router())


def test_a_router_without_embedding_fits_any_encoder(tmp_path: Path) -> None:
    save(tmp_path / "plain", plain_router())
    load(tmp_path / "plain", **(FIT | {"encoder_id": "openai:x", "encoder_dim": 9}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"feature_version": 4}, "features of version 3, this version of Pointsman has 4: train it again"),
        ({"feature_names": ("length", "other")}, "other features of the same version"),
        ({"feature_names": ("constant", "length")}, "other features of the same version"),
        (
            {"encoder_id": "static:other"},
            "trained with the encoder static:tiny, but the encoder in use is static:other",
        ),
        ({"encoder_dim": 5}, "vectors of length 16, not 5"),
    ],
)
def test_what_it_was_not_trained_for_is_refused(folder: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        load(folder, **(FIT | change))


def test_missing_files_are_named(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(ArtifactError, match=r"no router artifact: it has no model\.safetensors"):
        load(folder, **FIT)
    with pytest.raises(ArtifactError, match=r"no router artifact: it has no card\.json"):
        load(folder.parent / "nowhere", **FIT)


def test_every_truncation_is_refused(folder: Path) -> None:
    path = folder / "model.safetensors"
    content = path.read_bytes()
    for n_bytes in range(0, len(content), len(content) // 40):
        path.write_bytes(content[:n_bytes])
        with pytest.raises(ArtifactError, match="is damaged"):
            load(folder, **FIT)


def test_a_changed_byte_is_refused(folder: Path) -> None:
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-3] ^= 4
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="its SHA-256 is"):
        load(folder, **FIT)


def nan_weight(arrays: dict[str, Any]) -> None:
    arrays["prompt/dense_weights"][0, 0] = np.nan


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (nan_weight, "dense_weights holds a number that is not finite"),
        (lambda arrays: arrays.pop("prompt/offsets"), "arrays lacking or unknown: offsets"),
        (lambda arrays: arrays.update({"prompt/extra": np.zeros(1)}), "arrays lacking or unknown: extra"),
        (lambda arrays: arrays.update(extra=np.zeros(1)), "should hold trained_prompts beside what was learned"),
        (lambda arrays: arrays.pop("trained_prompts"), "should hold trained_prompts beside what was learned"),
        (
            lambda arrays: arrays.update(trained_prompts=np.zeros(3)),
            r"trained_prompts is float64 of shape \(3,\), expected one row of uint64",
        ),
        (
            lambda arrays: arrays.update({"prompt/offsets": np.zeros(2, dtype=np.float32)}),
            r"offsets has shape \(2,\), expected \(6,\)",
        ),
        (
            lambda arrays: arrays.update({"prompt/offsets": np.zeros(6, dtype=np.int8)}),
            "offsets is int8 with 1 dimensions, expected float32, 1",
        ),
        (lambda arrays: arrays["prompt/knots"].fill(0), "the knots of a calibration must rise"),
    ],
)
def test_arrays_that_cannot_be_used_are_refused(
    folder: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    edit_arrays(folder, change)
    with pytest.raises(ArtifactError, match=message):
        load(folder, **FIT)


def test_a_file_with_a_fitting_hash_that_is_no_safetensors_is_refused(folder: Path) -> None:
    content = b"\x80\x04K\x01."  # a pickle
    (folder / "model.safetensors").write_bytes(content)
    file = {"sha256": hashlib.sha256(content).hexdigest(), "n_bytes": len(content)}
    edit_card(folder, lambda raw: raw["files"].update({"model.safetensors": file}))
    with pytest.raises(ArtifactError, match="is not a safetensors file"):
        load(folder, **FIT)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw.update(format=1), "has format 1, but this version of Pointsman reads format 2"),
        (lambda raw: raw.update(models=["small"]), "fewer than two or not all different"),
        (lambda raw: raw["pairs"].append(["small", "other"]), "does not name two of the models"),
        (lambda raw: raw["pairs"].pop(), "the card says otherwise|shape"),
        (lambda raw: raw["encoder"].update(dim=9), "vectors of length"),
        (lambda raw: raw.update(kind="forest"), "at kind"),
        (lambda raw: raw.update(surprise=1), "at surprise"),
        (lambda raw: raw["dial"][0].update(threshold=1.5), r"at dial\.0\.threshold"),
        (lambda raw: raw["dial"].append(raw["dial"][0]), "thresholds do not rise"),
        (lambda raw: raw["features"].update(phrases=[]), "2 feature names but 0 phrases"),
        (lambda raw: raw["files"].clear(), r"does not list model\.safetensors"),
        (lambda raw: raw["files"].update({"../evil": raw["files"]["model.safetensors"]}), "unknown file"),
        (lambda raw: raw["metrics"].update(auc=float("nan")), "NaN is no JSON number"),
    ],
)
def test_a_wrong_card_is_refused(folder: Path, change: Callable[[dict[str, Any]], object], message: str) -> None:
    edit_card(folder, change)
    with pytest.raises(ArtifactError, match=message):
        load(folder, **FIT)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"null"])
def test_a_card_that_is_no_card_is_refused(folder: Path, content: bytes) -> None:
    (folder / "card.json").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"card\.json"):
        read_card(folder)


def test_an_oversized_card_is_not_read(folder: Path) -> None:
    (folder / "card.json").write_bytes(b" " * (MAX_CARD_BYTES + 1))
    with pytest.raises(ArtifactError, match="is larger than"):
        read_card(folder)


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("{}")
    with pytest.raises(ArtifactError, match="cannot be read"):
        load(tmp_path / "file", **FIT)


def test_builtin_is_a_name_and_not_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArtifactError, match="features of version"):
        load(BUILTIN, **(FIT | {"feature_version": -1}))
