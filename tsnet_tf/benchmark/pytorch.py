"""PyTorchVideo's X3D-S as a yardstick: built with random weights, which are copied into our model of the same genotype.

It needs the `bench` extra (``pip install .[bench]``). PyTorch is imported when it is asked for, after TensorFlow.
"""

from __future__ import annotations

import importlib.machinery
import sys
import types
from collections.abc import Callable

import keras
import numpy as np

from tsnet_tf.benchmark import machine
from tsnet_tf.errors import UserError
from tsnet_tf.layers.batch_norm import BatchNorm
from tsnet_tf.models.two_stream import PIXEL_DEVIATION, PIXEL_MEAN, TwoStreamModel

LAYOUTS = ("default", "channels_last_3d")


def wanted(against: str | None):
    """PyTorch, as `load` gives it, if it is what to measure against; else None."""
    return load(machine.THREADS) if against else None


def load(threads: int):
    """The module `torch`, set to as many threads as TensorFlow takes.

    Raises:
      UserError: it is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise UserError("--against=pytorch: expected PyTorch; pip install -e .[bench] installs it") from error
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    return torch


def x3d_s(torch, classes: int = 400):
    """PyTorchVideo's X3D-S that puts out logits, random weights and running statistics.

    Raises:
      UserError: PyTorchVideo is not installed.
    """
    if "torchvision" not in sys.modules:
        # PyTorchVideo wants torchvision for detection alone, and there is no build of it without CUDA everywhere.
        for name in ("torchvision", "torchvision.ops", "torchvision.transforms"):
            stub = types.ModuleType(name)
            stub.__spec__ = importlib.machinery.ModuleSpec(name, None)
            sys.modules[name] = stub
        sys.modules["torchvision.ops"].RoIAlign = object
        sys.modules["torchvision"].ops = sys.modules["torchvision.ops"]
    try:
        from pytorchvideo.models.x3d import create_x3d
    except ImportError as error:
        raise UserError("--against=pytorch: expected PyTorchVideo; pip install -e .[bench] installs it") from error
    model = create_x3d(
        input_clip_length=13, input_crop_size=160, depth_factor=2.2, model_num_class=classes, head_activation=None
    )
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm3d):
                module.running_mean.normal_(0.0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0.0, 0.1)
    return model


def copy_weights(ours: TwoStreamModel, theirs) -> None:
    """Gives ``ours``, a model of the genotype x3d_s, the weights of ``theirs``."""
    stem, *stages, head = theirs.blocks
    _assign(ours.stems[0].kernel, stem.conv.conv_t.weight, lambda w: w[:, :, 0].transpose(2, 3, 1, 0))
    _assign(ours.stems[0].temporal.depthwise_kernel, stem.conv.conv_xy.weight, _depthwise)
    _copy_norm(ours.stems[0].norm, stem.norm)
    for group, stage in zip(ours.groups[0], stages, strict=True):
        for block, other in zip(group.blocks, stage.res_blocks, strict=True):
            branch = other.branch2
            _assign(block.expand.kernel, branch.conv_a.weight, _pointwise)
            _copy_norm(block.expand_norm, branch.norm_a)
            _assign(block.depthwise.depthwise_kernel, branch.conv_b.weight, _depthwise)
            _copy_norm(block.depthwise_norm, branch.norm_b[0])
            if block.squeeze_excite:
                reduce, _, expand, _ = branch.norm_b[1].block
                for layer, convolution in (
                    (block.squeeze_excite.reduce, reduce),
                    (block.squeeze_excite.expand, expand),
                ):
                    _assign(layer.kernel, convolution.weight, _pointwise)
                    _assign(layer.bias, convolution.bias)
            _assign(block.project.kernel, branch.conv_c.weight, _pointwise)
            _copy_norm(block.project_norm, branch.norm_c)
            if block.shortcut:
                _assign(block.shortcut.kernel, other.branch1_conv.weight, _pointwise)
                _copy_norm(block.shortcut_norm, other.branch1_norm)
    _assign(ours.heads[0].conv.kernel, head.pool.pre_conv.weight, _pointwise)
    _copy_norm(ours.heads[0].norm, head.pool.pre_norm)
    _assign(ours.heads[0].dense.kernel, head.pool.post_conv.weight, _pointwise)
    _assign(ours.classifier.kernel, head.proj.weight, _pointwise)
    _assign(ours.classifier.bias, head.proj.bias)


def clips_as(torch, clips: np.ndarray, layout: str):
    """uint8 ``[batch, frames, h, w, 3]`` as PyTorch's model takes them: normalised, ``[batch, 3, frames, h, w]``."""
    normalised = (clips.astype(np.float32) - PIXEL_MEAN) / PIXEL_DEVIATION
    return in_layout(torch, torch.from_numpy(np.ascontiguousarray(normalised.transpose(0, 4, 1, 2, 3))), layout)


def in_layout(torch, value, layout: str):
    """A model or features in one of `LAYOUTS`."""
    formats = {"default": torch.contiguous_format, "channels_last_3d": torch.channels_last_3d}
    return value.to(memory_format=formats[layout])


def training_step(torch, model, clips, labels) -> Callable[[], object]:
    """One step of SGD with momentum and weight decay."""
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, nesterov=True, weight_decay=5e-5)

    def step():
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(clips), labels).backward()
        optimizer.step()

    return step


def _copy_norm(ours: BatchNorm, theirs) -> None:
    if theirs is None:  # X3D's first shortcut has none: the identity
        ours.moving_variance.assign(np.full(ours.moving_variance.shape, 1.0 - ours.epsilon, np.float32))
        return
    pairs = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
    for name, other in pairs.items():
        _assign(getattr(ours, name), getattr(theirs, other))


def _assign(variable: keras.Variable, value, turned: Callable = lambda w: w) -> None:
    variable.assign(turned(value.detach().numpy()))


def _pointwise(weight: np.ndarray) -> np.ndarray:
    """``[out, in, 1, 1, 1]`` to ``[in, out]``."""
    return weight.reshape(weight.shape[:2]).T


def _depthwise(weight: np.ndarray) -> np.ndarray:
    """``[c, 1, t, k, k]`` to ``[t, k, k, c]``."""
    return weight[:, 0].transpose(1, 2, 3, 0)
