"""Weights handed from one model to another: supernet to fixed model, search step to search step.

A smaller model takes the first channels of every weight and the centre of every depthwise kernel, exactly the part
that the supernet uses when it executes that architecture.
"""

import keras
import numpy as np

CENTRED_AXES = {"depthwise_kernel": (0, 1, 2)}  # every other axis of every weight keeps its first entries


def named_weights(model: keras.Model) -> dict[str, keras.Variable]:
    """The model's weights by path below the model, the same for every model of the same macro-architecture."""
    return {variable.path: variable for variable in model.weights if "seed_generator" not in variable.path}


def inherit(target: keras.Model, source: keras.Model) -> list[str]:
    """Fills ``target``'s weights from those of the same name in ``source``, cut to size.

    Returns:
      Names of the weights of ``target`` that ``source`` does not have; they are left as they were.

    Raises:
      ValueError: a weight of ``source`` is smaller than that of ``target``.
    """
    available = named_weights(source)
    fresh = []
    for name, variable in named_weights(target).items():
        if name not in available:
            fresh.append(name)
            continue
        variable.assign(_cut(name, np.asarray(available[name]), tuple(variable.shape)))
    return fresh


def _cut(name: str, value: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if value.ndim != len(shape) or any(have < want for have, want in zip(value.shape, shape, strict=True)):
        raise ValueError(f"{name}: expected at least the shape {shape}, found {value.shape}")
    centred = CENTRED_AXES.get(name.rsplit("/", 1)[-1], ())
    index = []
    for axis, (have, want) in enumerate(zip(value.shape, shape, strict=True)):
        start = (have - want) // 2 if axis in centred else 0
        index.append(slice(start, start + want))
    return value[tuple(index)]
