"""The same means dataset by dataset: where routing helps and where it hurts."""

from __future__ import annotations

import numpy as np

from pointsman.vocabulary import JSONObject

from .measured import Measured
from .paired import Float, Int, Paired


def per_dataset(data: Paired, policy: Measured | None) -> tuple[JSONObject, ...]:
    """Means by dataset, with the interval of the policy's quality minus the strong model's.

    The interval is the normal one for a mean over groups of equal prompts (linearised, clustered by group).
    """
    counts = np.bincount(data.dataset)

    def means(values: Float) -> Float:
        return np.asarray(np.bincount(data.dataset, weights=values) / counts, dtype=np.float64)

    scores = [means(data.score[:, j]) for j in range(data.m)]
    costs = [means(data.cost[:, j]) for j in range(data.m)]
    out: list[JSONObject] = [
        {
            "dataset": name,
            "n": int(counts[d]),
            "models": {
                model: {"quality": float(scores[j][d]), "cost_usd": float(costs[j][d]) if data.priced else None}
                for j, model in enumerate(data.models)
            },
        }
        for d, name in enumerate(data.dataset_names)
    ]
    if policy is None:
        return tuple(out)
    at = policy.primary
    delta = at.quality - data.score[:, -1]
    mean_delta, error = means(delta), _clustered_error(data, delta, counts)
    quality, cost, share = means(at.quality), means(at.cost), means((at.served == data.m - 1).astype(np.float64))
    for d, row in enumerate(out):
        half = 1.96 * float(error[d])
        row["policy"] = {
            "quality": float(quality[d]),
            "cost_usd": float(cost[d]) if data.priced else None,
            "savings": 1 - float(cost[d] / costs[-1][d]) if data.priced and costs[-1][d] > 0 else None,
            "strong_share": float(share[d]),
            "quality_delta": float(mean_delta[d]),
            "quality_delta_ci": [float(mean_delta[d]) - half, float(mean_delta[d]) + half],
        }
    return tuple(out)


def _clustered_error(data: Paired, values: Float, counts: Int) -> Float:
    residual = values - (np.bincount(data.dataset, weights=values) / counts)[data.dataset]
    pairs, member = np.unique(data.dataset * data.n_groups + data.group, return_inverse=True)
    per_group = np.bincount(member.reshape(-1), weights=residual)
    squares = np.bincount(pairs // data.n_groups, weights=per_group**2, minlength=counts.size)
    n_groups = np.bincount(pairs // data.n_groups, minlength=counts.size)
    # With one group the spread is not known; the whole range stands in.
    spread = np.where(n_groups > 1, squares * n_groups / np.maximum(n_groups - 1, 1), np.inf)
    return np.asarray(np.minimum(np.sqrt(spread) / counts, 1.0), dtype=np.float64)
