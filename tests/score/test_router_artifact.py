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

from pointsman.errors import ArtifactError
from pointsman.score import BUILTIN, ArtifactCard, Calibration, LogisticRouter, load, save
from pointsman.score.artifact import MAX_CARD_BYTES, read_card

FIT: dict[str, Any] = {
    "feature_version": 3,
    "feature_names": ("f0", "f1"),
    "encoder_id": "static:tiny",
    "encoder_dim": 3,
}


def made(dim: int = 3) -> LogisticRouter:
    card = ArtifactCard.model_validate(
        {
            "format": 1,
            "kind": "logistic",
            "name": "test",
            "version": "7",
            "features": {"version": 3, "names": ["f0", "f1"], "phrases": [["a", "b"], ["c", "d"]]},
            "encoder": {"id": "static:tiny" if dim else "none", "dim": dim},
            "training": {"target": "cheap suffices", "sources": [], "seed": 1, "settings": {"C": 0.1}},
            "calibration": {"method": "platt", "fitted_on": "held-out prompts"},
            "dial": [{"threshold": 0.5, "strong_share": 0.5, "quality_loss": 0.01, "quality_loss_upper": 0.02}],
            "metrics": {"auc": 0.6, "auc_ci": [0.5, 0.7]},
            "limits": ["knows nothing"],
            "licence": "Apache-2.0",
            "attribution": ["nobody"],
        }
    )
    rng = np.random.default_rng(3)
    return LogisticRouter(
        card,
        feature_mean=rng.normal(size=2),
        feature_scale=np.array([1.0, 2.0]),
        feature_weight=rng.normal(size=2),
        embedding_mean=rng.normal(size=dim).astype(np.float32),
        embedding_weight=rng.normal(size=dim).astype(np.float32),
        bias=0.3,
        calibration=Calibration.platt(0.9, 0.1),
        trained_prompts=np.array([5, 2**63 + 1], dtype=np.uint64),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(tmp_path / "artifact", made())
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
    first, again = made(), load(folder, **FIT)
    features, embedding = np.array([0.3, -1.0]), np.array([0.1, 0.2, 0.3], dtype=np.float32)
    assert again.score(features, embedding) == first.score(features, embedding)
    assert again.card.model_copy(update={"files": {}}) == first.card
    assert again.trained_prompts.tolist() == [5, 2**63 + 1]
    assert sorted(path.name for path in folder.iterdir()) == ["card.json", "model.safetensors"]


def test_the_same_router_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    save(tmp_path / "second", made())
    for name in ("card.json", "model.safetensors"):
        assert (tmp_path / "second" / name).read_bytes() == (folder / name).read_bytes()


def test_a_tokenizer_travels_with_it_and_is_checked(tmp_path: Path) -> None:
    save(tmp_path / "artifact", made(), tokenizer=b"{}")
    load(tmp_path / "artifact", **FIT)
    (tmp_path / "artifact" / "tokenizer.json").write_bytes(b"[]")
    with pytest.raises(ArtifactError, match=r"tokenizer\.json is damaged"):
        load(tmp_path / "artifact", **FIT)


def test_an_artifact_is_not_overwritten_unless_asked(folder: Path) -> None:
    with pytest.raises(ArtifactError, match="exists"):
        save(folder, made())
    save(folder, made(), replace=True)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    load(folder, **FIT)


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ArtifactError, match="cannot be written"):
        save(tmp_path / "file" / "artifact", made())


def test_a_router_without_embedding_fits_any_encoder(tmp_path: Path) -> None:
    save(tmp_path / "plain", made(dim=0))
    load(tmp_path / "plain", **(FIT | {"encoder_id": "openai:x", "encoder_dim": 9}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"feature_version": 4}, "features of version 3, this version of Pointsman has 4: train it again"),
        ({"feature_names": ("f0", "other")}, "other features of the same version"),
        ({"feature_names": ("f1", "f0")}, "other features of the same version"),
        (
            {"encoder_id": "static:other"},
            "trained with the encoder static:tiny, but the encoder in use is static:other",
        ),
        ({"encoder_dim": 5}, "vectors of length 3, not 5"),
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
    for n_bytes in range(0, len(content), 37):
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
    arrays["feature_weight"][0] = np.nan


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (nan_weight, "feature_weight holds a number that is not finite"),
        (lambda arrays: arrays.pop("bias"), "lacks arrays or holds unknown ones: bias"),
        (lambda arrays: arrays.update(extra=np.zeros(1)), "lacks arrays or holds unknown ones: extra"),
        (lambda arrays: arrays.update(feature_mean=np.zeros(5)), r"feature_mean has shape \(5,\), expected \(2,\)"),
        (lambda arrays: arrays.update(feature_mean=np.zeros((1, 2))), r"feature_mean is float64 of shape \(1, 2\)"),
        (lambda arrays: arrays.update(bias=np.zeros(2)), r"bias has shape \(2,\)"),
        (lambda arrays: arrays.update(bias=np.zeros(1, dtype=np.int8)), "bias is int8"),
        (lambda arrays: arrays.update(calibration_x=np.array([1.0, 0.0])), "calibration knots must rise"),
        (lambda arrays: arrays.update(feature_scale=np.zeros(2)), "feature_scale must be above 0"),
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
        (lambda raw: raw.update(format=2), "has format 2, but this version of Pointsman reads format 1"),
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
