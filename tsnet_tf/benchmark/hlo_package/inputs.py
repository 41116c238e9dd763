"""What the programs of this folder are given: made from seeds, so that no weights have to be carried along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

CLIPS_SEED, LABELS_SEED, WEIGHTS_SEED = 1, 2, 1000


def weights(described: Sequence[Mapping]) -> dict[str, np.ndarray]:
    """Uniform numbers of every weight's own range, float32, by name."""
    return {
        one["name"]: _uniform(WEIGHTS_SEED + index, one["shape"]) * np.float32(one["high"] - one["low"])
        + np.float32(one["low"])
        for index, one in enumerate(described)
    }


def folded(values: Mapping[str, np.ndarray], folds: Sequence[Mapping]) -> dict[str, np.ndarray]:
    """The weights of the same model with batch normalisation in its convolutions."""
    found = dict(values)
    for fold in folds:
        gamma, beta, mean, variance = (
            values[f"{fold['norm']}/{name}"].astype(np.float64)
            for name in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        scale = gamma / np.sqrt(variance + fold["epsilon"])
        found[fold["kernel"]] = (values[fold["kernel"]].astype(np.float64) * scale).astype(np.float32)
        found[fold["bias"]] = (beta - mean * scale).astype(np.float32)
    return found


def clips(shape: Sequence[int]) -> np.ndarray:
    """Bytes, uint8 ``[batch, frames, height, width, 3]``."""
    return np.frombuffer(np.random.default_rng(CLIPS_SEED).bytes(int(np.prod(shape))), np.uint8).reshape(shape)


def labels(batch_size: int, classes: int) -> np.ndarray:
    """int64 ``[batch]``."""
    return (_uniform(LABELS_SEED, [batch_size]) * classes).astype(np.int64)


def taken(value: np.ndarray, count: int = 256) -> np.ndarray:
    """At most ``count`` numbers of an output, float64, at even distances: what is kept of it and compared."""
    flat = np.asarray(value).ravel()
    places = np.linspace(0, flat.size - 1, min(count, flat.size)).round().astype(np.int64)
    return flat[places].astype(np.float64)


def _uniform(seed: int, shape: Sequence[int]) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(seed)).random(tuple(shape), np.float32)
