"""OpenAI batch files: requests in the input file, answers in the output file, joined by custom_id.

Input lines hold custom_id, method, url and body; output lines custom_id, response (status_code, request_id, body) and
error (OpenAI API reference, Batch, "The request input object" and "The request output object"). Several pairs of files
may be given; which is which is told from the lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..prompt_text import answer_text, routed_text
from .records import Rows, records, whole


def from_openai_batch(paths: Sequence[Path], rows: Rows) -> None:
    """Adds the answers of batch output files with the prompts of their input files, unscored.

    The same prompt asked of several models, under one custom_id in several batches, is one prompt.
    """
    asked: dict[tuple[str, str | None], Mapping[str, object]] = {}
    answered: list[Mapping[str, object]] = []
    for path in paths:
        for record in records(path):
            body = record.get("body")
            if isinstance(body, Mapping) and "response" not in record:
                asked[str(record.get("custom_id")), _text(body.get("model"))] = body
                asked.setdefault((str(record.get("custom_id")), None), body)
            else:
                answered.append(record)
    for record in answered:
        rows.n_read += 1
        response = record.get("response")
        if not isinstance(response, Mapping) or record.get("error") is not None:
            rows.drop("the request of the batch failed")
            continue
        body = response.get("body")
        if response.get("status_code") != 200 or not isinstance(body, Mapping):
            rows.drop("the request of the batch failed")
            continue
        _add(str(record.get("custom_id")), body, asked, rows)


def _add(
    custom_id: str,
    body: Mapping[str, object],
    asked: Mapping[tuple[str, str | None], Mapping[str, object]],
    rows: Rows,
) -> None:
    served = _text(body.get("model"))
    # Answers name a dated snapshot ("gpt-4o-2024-08-06") where the request named its alias ("gpt-4o").
    fitting = (
        [
            request
            for (identity, model), request in asked.items()
            if identity == custom_id and model is not None and served is not None and served.startswith(model)
        ]
        if (custom_id, served) not in asked
        else [asked[custom_id, served]]
    )
    request = max(fitting, key=lambda each: len(str(each.get("model")))) if fitting else asked.get((custom_id, None))
    prompt = None if request is None else routed_text(request)
    if request is None or prompt is None:
        rows.drop("no request with this custom_id" if request is None else "no user message in the request")
        return
    usage = body.get("usage")
    tokens = usage if isinstance(usage, Mapping) else {}
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], Mapping) else {}
    rows.add(
        source="openai-batch",
        dataset="",
        prompt_id=custom_id,
        prompt=prompt,
        model=_text(request.get("model")) or served,
        response=answer_text(body),
        prompt_tokens=whole(tokens.get("prompt_tokens", tokens.get("input_tokens"))),
        completion_tokens=whole(tokens.get("completion_tokens", tokens.get("output_tokens"))),
        finish_reason=_text(first.get("finish_reason")),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
