"""X3D's weights under the names of PyTorchVideo and of PySlowFast, and where they belong in a model of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import keras
import numpy as np

from tsnet_tf.errors import UserError
from tsnet_tf.layers.batch_norm import BatchNorm
from tsnet_tf.layers.mbconv3d import MBConv3D
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.pretrained.torch_file import FLAG

# A layer's name in PyTorchVideo, whose stem has its two convolutions the wrong way round, and in PySlowFast.
LAYERS = {
    "stem": ("blocks.0.conv.conv_t", "s1.pathway0_stem.conv_xy"),
    "stem/temporal": ("blocks.0.conv.conv_xy", "s1.pathway0_stem.conv"),
    "stem/norm": ("blocks.0.norm", "s1.pathway0_stem.bn"),
    "head": ("blocks.5.pool.pre_conv", "head.conv_5"),
    "head/norm": ("blocks.5.pool.pre_norm", "head.conv_5_bn"),
    "head/hidden": ("blocks.5.pool.post_conv", "head.lin_5"),
    "classifier": ("blocks.5.proj", "head.projection"),
}
BLOCK = ("blocks.{stage}.res_blocks.{block}.", "s{place}.pathway0_res{block}.")  # PySlowFast's s1 is the stem
OF_BLOCK = {
    "expand": ("branch2.conv_a", "branch2.a"),
    "expand/norm": ("branch2.norm_a", "branch2.a_bn"),
    "depthwise": ("branch2.conv_b", "branch2.b"),
    "depthwise/norm": ("branch2.norm_b.0", "branch2.b_bn"),
    "reduce": ("branch2.norm_b.1.block.0", "branch2.se.fc1"),
    "excite": ("branch2.norm_b.1.block.2", "branch2.se.fc2"),
    "project": ("branch2.conv_c", "branch2.c"),
    "project/norm": ("branch2.norm_c", "branch2.c_bn"),
    "shortcut": ("branch1_conv", "branch1"),
    "shortcut/norm": ("branch1_norm", "branch1_bn"),
}
NORM = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
UNUSED = "num_batches_tracked"  # of normalisations: PyTorch counts the batches that it has seen
_NAMED_AT_MOST = 5


class Naming(NamedTuple):
    """What stands before every name of a checkpoint, and which column of the tables it follows."""

    prefix: str
    column: int

    @property
    def layers(self) -> dict[str, str]:
        """Names of the layers outside of blocks."""
        return {layer: self.prefix + names[self.column] for layer, names in LAYERS.items()}

    def in_block(self, stage: int, number: int) -> dict[str, str]:
        """Names of a block's layers."""
        before = self.prefix + BLOCK[self.column].format(stage=stage, place=stage + 1, block=number)
        return {layer: before + names[self.column] for layer, names in OF_BLOCK.items()}


class Place(NamedTuple):
    """Where a tensor belongs: a weight of ours, the tensor's shape, and how that becomes the weight's."""

    weight: keras.Variable
    shape: tuple[int, ...]
    turned: Callable[[np.ndarray], np.ndarray]


def classes_in(state: Mapping[str, np.ndarray]) -> int:
    """The number of classes that an X3D's weights tell apart.

    Raises:
      UserError: they are not an X3D's.
    """
    name = f"{_naming_of(state).layers['classifier']}.bias"
    if name not in state or state[name].ndim != 1 or not state[name].size:
        found = state[name].shape if name in state else "none"
        raise UserError(f"{FLAG}: expected {name!r} of the shape (classes,), found {found}")
    return state[name].size


def assign(model: TwoStreamModel, state: Mapping[str, np.ndarray]) -> None:
    """Gives ``model`` the weights of an X3D, all or none of them.

    Args:
      model: of the genotype x3d_xs, x3d_s, x3d_m or x3d_l, as it was made.
      state: tensors by the names of PyTorchVideo or PySlowFast, perhaps all of them after a prefix such as "module.".

    Raises:
      UserError: one is missing, has another shape, is no number, or belongs nowhere; the message names it.
    """
    naming = _naming_of(state)
    state = {**_left_out(model, state, naming), **state}
    places = _places(model, naming)
    wrong = {name: _mistake(place, state.get(name)) for name, place in places.items()}
    wrong |= {
        name: f"expected none, found {value.shape}"
        for name, value in state.items()
        if name not in places and not name.endswith(UNUSED)
    }
    told = [f"{name!r}: {mistake}" for name, mistake in wrong.items() if mistake]
    if told:
        more = f"; and {len(told) - _NAMED_AT_MOST} more" if len(told) > _NAMED_AT_MOST else ""
        raise UserError(
            f"{FLAG}: expected the weights of {model.space.name}, found {len(told)} that do not fit: "
            f"{'; '.join(told[:_NAMED_AT_MOST])}{more}"
        )
    for name, place in places.items():
        place.weight.assign(place.turned(state[name].astype(np.float32)))


def _naming_of(state: Mapping[str, np.ndarray]) -> Naming:
    first = [f"{name}.weight" for name in LAYERS["stem"]]
    for key in state:
        for column, name in enumerate(first):
            if key.endswith(name):
                return Naming(key.removesuffix(name), column)
    raise UserError(f"{FLAG}: expected the weights of an X3D, found none that is called {' or '.join(first)}")


def _left_out(model: TwoStreamModel, state: Mapping[str, np.ndarray], naming: Naming) -> dict[str, np.ndarray]:
    """The first shortcut's normalisation, the identity: PyTorchVideo has none there, as the width does not change."""
    name = naming.in_block(1, 0)["shortcut/norm"]
    if any(key.startswith(f"{name}.") for key in state):
        return {}
    norm = model.groups[0][0].blocks[0].shortcut_norm
    values = {"weight": 1.0, "bias": 0.0, "running_mean": 0.0, "running_var": 1.0 - norm.epsilon}
    return {f"{name}.{part}": np.full(norm.channels, value, np.float32) for part, value in values.items()}


def _places(model: TwoStreamModel, naming: Naming) -> dict[str, Place]:
    """Every tensor that ``model`` takes, by its name."""
    names, stem, head = naming.layers, model.stems[0], model.heads[0]
    found = {
        f"{names['stem']}.weight": _spatial(stem.kernel),
        f"{names['stem/temporal']}.weight": _depthwise(stem.temporal.depthwise_kernel),
        **_norm(names["stem/norm"], stem.norm),
        f"{names['head']}.weight": _pointwise(head.conv.kernel),
        **_norm(names["head/norm"], head.norm),
        f"{names['head/hidden']}.weight": _pointwise(head.dense.kernel),
        f"{names['classifier']}.weight": _linear(model.classifier.kernel),
        f"{names['classifier']}.bias": _vector(model.classifier.bias),
    }
    for stage, group in enumerate(model.groups[0], start=1):
        for number, block in enumerate(group.blocks):
            found |= _in_block(block, naming.in_block(stage, number))
    return found


def _in_block(block: MBConv3D, names: Mapping[str, str]) -> dict[str, Place]:
    found = {
        f"{names['expand']}.weight": _pointwise(block.expand.kernel),
        **_norm(names["expand/norm"], block.expand_norm),
        f"{names['depthwise']}.weight": _depthwise(block.depthwise.depthwise_kernel),
        **_norm(names["depthwise/norm"], block.depthwise_norm),
        f"{names['project']}.weight": _pointwise(block.project.kernel),
        **_norm(names["project/norm"], block.project_norm),
    }
    if block.squeeze_excite:
        for part, layer in (("reduce", block.squeeze_excite.reduce), ("excite", block.squeeze_excite.expand)):
            found[f"{names[part]}.weight"] = _pointwise(layer.kernel)
            found[f"{names[part]}.bias"] = _vector(layer.bias)
    if block.shortcut:
        found[f"{names['shortcut']}.weight"] = _pointwise(block.shortcut.kernel)
        found |= _norm(names["shortcut/norm"], block.shortcut_norm)
    return found


def _norm(name: str, norm: BatchNorm) -> dict[str, Place]:
    return {f"{name}.{theirs}": _vector(getattr(norm, ours)) for ours, theirs in NORM.items()}


def _vector(weight: keras.Variable) -> Place:
    return Place(weight, tuple(weight.shape), lambda value: value)


def _linear(weight: keras.Variable) -> Place:
    """``[in, out]`` from ``[out, in]``."""
    return Place(weight, tuple(weight.shape)[::-1], np.transpose)


def _pointwise(weight: keras.Variable) -> Place:
    """``[in, out]`` from ``[out, in, 1, 1, 1]``."""
    return Place(weight, (*tuple(weight.shape)[::-1], 1, 1, 1), lambda value: value[:, :, 0, 0, 0].T)


def _depthwise(weight: keras.Variable) -> Place:
    """``[t, k, k, c]`` from ``[c, 1, t, k, k]``."""
    *kernel, channels = weight.shape
    return Place(weight, (channels, 1, *kernel), lambda value: value[:, 0].transpose(1, 2, 3, 0))


def _spatial(weight: keras.Variable) -> Place:
    """``[k, k, in, out]`` from ``[out, in, 1, k, k]``."""
    *kernel, inputs, outputs = weight.shape
    return Place(weight, (outputs, inputs, 1, *kernel), lambda value: value[:, :, 0].transpose(2, 3, 1, 0))


def _mistake(place: Place, value: np.ndarray | None) -> str | None:
    """Why ``value`` does not fit, in words; None if it does."""
    if value is None or value.shape != place.shape:
        return f"expected {place.shape}, found {'none' if value is None else value.shape}"
    if value.dtype.kind != "f":
        return f"expected floating-point numbers, found {value.dtype}"
    if not np.isfinite(value.astype(np.float32)).all():
        return "expected finite numbers, found others"
    return None
