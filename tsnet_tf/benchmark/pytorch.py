"""PyTorchVideo's X3D as a yardstick: built with random weights, which are copied into our model of the same genotype.

It needs the `bench` extra (``pip install .[bench]``). PyTorch is imported when it is asked for, after TensorFlow.
"""

from __future__ import annotations

import importlib.machinery
import sys
import types
from collections.abc import Callable

import numpy as np

from tsnet_tf.benchmark import machine
from tsnet_tf.errors import UserError
from tsnet_tf.models.two_stream import PIXEL_DEVIATION, PIXEL_MEAN, TwoStreamModel
from tsnet_tf.pretrained import x3d
from tsnet_tf.space.two_stream import Space

LAYOUTS = ("default", "channels_last_3d")
DEPTH_FACTORS = {3: 2.2, 5: 5.0}  # of X3D, by the number of blocks in its first stage: of -XS, -S and -M, and of -L


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


def x3d_of(torch, space: Space):
    """PyTorchVideo's X3D that puts out logits, with random weights and running statistics.

    Args:
      torch: what `load` returns.
      space: the genotype x3d_xs, x3d_s, x3d_m or x3d_l.

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
        input_clip_length=space.frames,
        input_crop_size=space.resolution,
        depth_factor=DEPTH_FACTORS[space.sparse.groups[0].depth],
        model_num_class=space.classes,
        head_activation=None,
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
    """Gives ``ours``, a model of the same X3D, the weights of ``theirs``."""
    x3d.assign(ours, {name: tensor.numpy() for name, tensor in theirs.state_dict().items()})


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
