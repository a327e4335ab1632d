"""RouteLLM's eval files and RouterBench's frames: one row per prompt, one column per model.

RouteLLM (lm-sys/RouteLLM, `routellm/evals/mmlu/responses/mmlu_*.csv` and `gsm8k/gsm8k_responses.csv`): `prompt`, a
column of True and False per model, and in GSM8K `<model>_response`.
RouterBench (withmartian/routerbench, `routerbench_0shot` and `routerbench_5shot`): `sample_id`, `prompt` (a list in
Python's notation), `eval_name`, a column of scores per model, `<model>|model_response`, `<model>|total_cost` in USD,
`oracle_model_to_route_to`.
"""

from __future__ import annotations

import ast
from pathlib import Path

import polars as pl

from ..columns import long_form
from ..files import scan

_RESPONSE = "_response"


def from_routellm(path: Path) -> pl.LazyFrame:
    """A RouteLLM eval file in long form; `mmlu_<subject>.csv` is the dataset "mmlu/<subject>"."""
    frame = scan(path)
    names = frame.collect_schema().names()
    stem = path.stem.removesuffix("_responses")
    kind, _, subject = stem.partition("_")
    dataset = f"mmlu/{subject}" if kind == "mmlu" and subject else stem
    answers = {
        name: f"{name.removesuffix(_RESPONSE)}|response"
        for name in names
        if name.endswith(_RESPONSE) and name.removesuffix(_RESPONSE) in names
    }
    return long_form(
        frame.rename(answers)
        .with_row_index("row")
        .with_columns(pl.lit(dataset).alias("dataset"), pl.format("{}-{}", pl.lit(stem), "row").alias("prompt_id"))
        .drop("row"),
        str(path),
        None,
    )


def from_routerbench(path: Path) -> pl.LazyFrame:
    """A RouterBench frame (Parquet or CSV) in long form."""
    frame = scan(path)
    names = frame.collect_schema().names()
    renamed = {"sample_id": "prompt_id", "eval_name": "dataset"}
    for name in names:
        for suffix, ours in (("|model_response", "|response"), ("|total_cost", "|cost_usd")):
            if name.endswith(suffix):
                renamed[name] = name.removesuffix(suffix) + ours
    frame = frame.rename(renamed, strict=False).drop("oracle_model_to_route_to", strict=False)
    if frame.collect_schema()["prompt"] == pl.String:
        prompt = pl.col("prompt").map_elements(_unlisted, return_dtype=pl.String)
    else:
        prompt = pl.col("prompt").list.join("\n")
    return long_form(frame.with_columns(prompt.alias("prompt")), str(path), None)


def _unlisted(prompt: str) -> str:
    """The text of a prompt written as a Python list of strings; any other text as it is."""
    if not prompt.startswith("["):
        return prompt
    try:
        parts = ast.literal_eval(prompt)
    except (ValueError, SyntaxError):
        return prompt
    return "\n".join(str(part) for part in parts) if isinstance(parts, list) else prompt
