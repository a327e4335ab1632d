"""Every command that takes a path, on an S3 server on loopback (moto's), without a credential of anybody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.cli.test_evaluate_command import world

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("default")]

MODELS = "small,large"


@pytest.fixture(scope="module")
def bucket() -> Iterator[dict[str, str]]:
    """The environment that names the server; it has the bucket `bucket`."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environ = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    try:
        import boto3

        boto3.client(
            "s3",
            endpoint_url=environ["AWS_ENDPOINT_URL"],
            aws_access_key_id="nobody",
            aws_secret_access_key="nothing",
            region_name="us-east-1",
        ).create_bucket(Bucket="bucket")
        yield environ
    finally:
        server.stop()


def run(environ: dict[str, str], *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pointsman", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environ},
    )
    assert done.returncode == code, done.stderr
    return done.stderr if code else done.stdout


def s3(environ: dict[str, str]) -> Any:
    import s3fs

    return s3fs.S3FileSystem(
        key="nobody", secret="nothing", endpoint_url=environ["AWS_ENDPOINT_URL"], use_listings_cache=False
    )


def test_from_outcomes_to_a_served_router(bucket: dict[str, str], tmp_path: Path) -> None:
    data = world(tmp_path, n=600, cheap_right={"easy": 0.97, "hard": 0.1})
    store = s3(bucket)
    store.put_file(str(data), f"bucket/raw/{data.name}")
    raw = f"s3://bucket/raw/{data.name}"

    run(bucket, "import", raw, "--to", "s3://bucket/evals/faq", "-m", MODELS)
    assert {Path(each).name for each in store.ls("bucket/evals/faq")} == {
        "card.json",
        "outcomes.parquet",
        "triples.jsonl",
    }
    assert "exists" in run(bucket, "import", raw, "--to", "s3://bucket/evals/faq", "-m", MODELS, code=2)

    run(
        bucket, "train", "s3://bucket/evals/faq", "-m", MODELS, "--to", "s3://bucket/routers/faq", "--train-size", "300"
    )
    local = tmp_path / "faq"
    run(bucket, "train", "s3://bucket/evals/faq", "-m", MODELS, "--to", str(local), "--train-size", "300")
    assert store.cat_file("bucket/routers/faq/model.safetensors") == (local / "model.safetensors").read_bytes()
    assert store.cat_file("bucket/routers/faq/card.json") == (local / "card.json").read_bytes()

    router = ("-m", MODELS, "--router", "s3://bucket/routers/faq")
    run(
        bucket, "tune", "s3://bucket/evals/faq", *router, "--to", "s3://bucket/policy.json", "--max-quality-loss", "0.1"
    )
    run(
        bucket,
        "evaluate",
        "s3://bucket/evals/faq",
        *router,
        "--policy",
        "s3://bucket/policy.json",
        "--json",
        "s3://bucket/found.json",
    )
    assert json.loads(store.cat_file("bucket/found.json"))["n"] > 200

    store.pipe_file("bucket/routers/latest", b'{"format": 1, "name": "faq", "seq": 1}')
    config = {
        "models": [{"name": name, "provider": "sim", "model": name} for name in ("small", "large")],
        "tiers": [{"name": "cheap", "models": ["small"]}, {"name": "strong", "models": ["large"]}],
        "router": {"artifact": "s3://bucket/routers/latest"},
        "policies": {"auto": {"kind": "threshold", "max_quality_loss": 0.1}},
        "default_policy": "auto",
        "baseline": "strong",
    }
    (tmp_path / "pointsman.yaml").write_text(json.dumps(config))
    said = json.loads(run(bucket, "route", "an easy one", "-c", str(tmp_path / "pointsman.yaml"), "--json"))
    assert "faq" in json.dumps(said)


def test_label_changes_a_set_in_place_and_features_read_one(bucket: dict[str, str], tmp_path: Path) -> None:
    rows = [
        {"dataset": "d", "prompt_id": f"p{n}", "prompt": f"Q {n}", "model": model, "response": f"answer {n % k}"}
        for n in range(40)
        for k, model in ((2, "small"), (3, "large"))
    ]
    pl.DataFrame(rows).write_parquet(tmp_path / "outcomes.parquet")
    known = [{"dataset": "d", "prompt_id": f"p{n}", "reference": f"answer {n % 3}"} for n in range(40)]
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps(each) + "\n" for each in known))
    store = s3(bucket)
    for name in ("outcomes.parquet", "prompts.jsonl"):
        store.put_file(str(tmp_path / name), f"bucket/answers/{name}")
    run(bucket, "label", "s3://bucket/answers", "--scorer", "exact", "-m", MODELS)
    store.get_file("bucket/answers/outcomes.parquet", str(tmp_path / "scored.parquet"))
    scored = pl.read_parquet(tmp_path / "scored.parquet")
    assert scored.filter(pl.col("model") == "large")["score"].mean() == 1
    assert store.exists("bucket/answers/card.json")

    out = tmp_path / "features"
    run(bucket, "features", "s3://bucket/answers/outcomes.parquet", "--to", str(out))
    assert pl.read_parquet(out / "part-000000.parquet").height == 80
    assert "local folder" in run(
        bucket, "features", "s3://bucket/answers/outcomes.parquet", "--to", "s3://bucket/f", code=2
    )


def test_what_cannot_be_read_is_one_line(bucket: dict[str, str]) -> None:
    said = run(bucket, "evaluate", "s3://bucket/none", "-m", MODELS, code=2)
    assert "s3://bucket/none does not exist" in said
    closed = {**bucket, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    said = run(closed, "evaluate", "s3://bucket/none", "-m", MODELS, code=2)
    assert "s3://bucket/none cannot be read" in said
    assert "Traceback" not in said
