"""X3D-S (Feichtenhofer, CVPR 2020) in plain PyTorch, with the weights of the programs of this folder, and its speed.

It is PyTorchVideo's network with one difference, which is ours: the first shortcut has a normalisation too.
"""

from __future__ import annotations

import argparse
import itertools
import json
import pathlib
import sys
import time
from collections.abc import Mapping

import numpy as np
import torch
from inputs import clips, labels, taken, weights
from timing import timed
from torch import nn
from torch.nn import functional

STAGES = ((24, 54, 3), (48, 108, 5), (96, 216, 11), (192, 432, 7))  # width, inner width, blocks
SQUEEZED = (8, 8, 16, 32)  # of squeeze-excite, which every other block has
STEM, HEAD, HIDDEN = 24, 432, 2048
PIXEL_MEAN, PIXEL_DEVIATION = 0.45 * 255, 0.225 * 255
LAYOUTS = {"default": torch.contiguous_format, "channels_last_3d": torch.channels_last_3d}
PRECISIONS = ("tf32", "bfloat16", "float32")
KINDS = ("inference", "training")


def _pointwise(in_channels: int, channels: int, stride: int = 1, bias: bool = False) -> nn.Conv3d:
    return nn.Conv3d(in_channels, channels, 1, (1, stride, stride), bias=bias)


def _depthwise(channels: int, t: int, k: int, stride: int = 1) -> nn.Conv3d:
    padding = (t // 2, k // 2, k // 2)
    return nn.Conv3d(channels, channels, (t, k, k), (1, stride, stride), padding, groups=channels, bias=False)


class Block(nn.Module):
    """Expansion, depthwise convolution, perhaps squeeze-excite, projection, and a shortcut around them."""

    def __init__(self, in_channels: int, channels: int, inner: int, squeezed: int, stride: int):
        super().__init__()
        self.expand, self.expand_norm = _pointwise(in_channels, inner), nn.BatchNorm3d(inner)
        self.depthwise, self.depthwise_norm = _depthwise(inner, 3, 3, stride), nn.BatchNorm3d(inner)
        self.squeezed = squeezed
        if squeezed:
            self.squeeze_excite_reduce = _pointwise(inner, squeezed, bias=True)
            self.squeeze_excite_expand = _pointwise(squeezed, inner, bias=True)
        self.project, self.project_norm = _pointwise(inner, channels), nn.BatchNorm3d(channels)
        self.has_shortcut = stride > 1 or in_channels != channels
        if self.has_shortcut:
            self.shortcut, self.shortcut_norm = _pointwise(in_channels, channels, stride), nn.BatchNorm3d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu(self.expand_norm(self.expand(x)))
        y = self.depthwise_norm(self.depthwise(y))
        if self.squeezed:
            gate = functional.relu(self.squeeze_excite_reduce(functional.adaptive_avg_pool3d(y, 1)))
            y = y * torch.sigmoid(self.squeeze_excite_expand(gate))
        y = self.project_norm(self.project(functional.silu(y)))
        return functional.relu(y + (self.shortcut_norm(self.shortcut(x)) if self.has_shortcut else x))


class X3DS(nn.Module):
    """Normalised clips ``[batch, 3, frames, height, width]`` to logits ``[batch, classes]``, without dropout."""

    def __init__(self, classes: int = 400):
        super().__init__()
        self.stem = nn.Conv3d(3, STEM, (1, 3, 3), (1, 2, 2), (0, 1, 1), bias=False)
        self.stem_temporal, self.stem_norm = _depthwise(STEM, 5, 1), nn.BatchNorm3d(STEM)
        self.blocks, before = nn.ModuleDict(), STEM
        for stage, (channels, inner, depth) in enumerate(STAGES, 1):
            squeezed = SQUEEZED[stage - 1]
            for block in range(depth):
                made = Block(before, channels, inner, squeezed * (block % 2 == 0), 2 if block == 0 else 1)
                self.blocks[f"s{stage}_g1_b{block + 1}"] = made
                before = channels
        self.head_conv, self.head_norm = _pointwise(before, HEAD), nn.BatchNorm3d(HEAD)
        self.head_hidden, self.classifier = nn.Linear(HEAD, HIDDEN, bias=False), nn.Linear(HIDDEN, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.stem_norm(self.stem_temporal(self.stem(x))))
        for block in self.blocks.values():
            x = block(x)
        x = functional.relu(self.head_norm(self.head_conv(x))).mean((2, 3, 4))
        return self.classifier(functional.relu(self.head_hidden(x)))


def give(model: X3DS, values: Mapping[str, np.ndarray]) -> None:
    """Gives the model our weights, each of which it has under nearly the same name.

    Raises:
      KeyError, RuntimeError: there is another weight, or one of another size.
    """
    renamed = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
    state, used = {}, set()
    for name, tensor in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        *layer, kind = name.removeprefix("blocks.").split(".")
        layer = "_".join(layer)
        if "norm" in layer:
            kind = renamed[kind]
        elif kind == "weight":
            kind = "depthwise_kernel" if "depthwise" in layer or "temporal" in layer else "kernel"
        ours = f"{layer}/{kind}" if layer == "classifier" else f"sparse_{layer}/{kind}"
        value = values[ours]
        if kind == "depthwise_kernel":
            value = value.transpose(3, 0, 1, 2)[:, None]
        elif layer == "stem":
            value = value.transpose(3, 2, 0, 1)[:, :, None]
        elif kind == "kernel":
            value = value.T.reshape(tensor.shape)
        state[name] = torch.from_numpy(np.ascontiguousarray(value))
        used.add(ours)
    if left := set(values) - used:
        raise KeyError(f"weights that X3D-S does not have: {sorted(left)}")
    model.load_state_dict(state, strict=False)


def prepared(folder: pathlib.Path, kind: str, precision: str, layout: str, compiled: bool):
    """A function that runs the model once, and what it gives the first time (logits, or the loss)."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    entry = next(p for p in manifest["programs"] if p["model"] == "x3d_s" and p["kind"] == kind)
    described, batch_size = manifest["models"]["x3d_s"], entry["batch_size"]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    model = X3DS(described["classes"])
    give(model, weights(described["weights"]))
    model = model.to(device, memory_format=LAYOUTS[layout])
    frames, side = described["frames"], described["resolution"]
    given = torch.from_numpy(clips([batch_size, frames, side, side, 3]).copy()).to(device)
    wanted = torch.from_numpy(labels(batch_size, described["classes"])).to(device)

    def pixels(dtype):  # bytes to normalised pixels, as our programs do it too
        x = (given.permute(0, 4, 1, 2, 3).to(torch.float32) - PIXEL_MEAN) / PIXEL_DEVIATION
        return x.to(dtype, memory_format=LAYOUTS[layout])

    if kind == "inference":
        dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        model = model.eval().to(dtype)

        def forward():
            return model(pixels(dtype))

        call = torch.compile(forward) if compiled else forward

        def run():
            with torch.inference_mode():
                return call()
    else:
        model.train()
        optimizer = torch.optim.SGD(
            model.parameters(), lr=1e-3, momentum=0.9, nesterov=True, weight_decay=5e-5, fused=device == "cuda"
        )

        def loss():
            with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
                logits = model(pixels(torch.float32))
            return functional.cross_entropy(logits.float(), wanted)

        call = torch.compile(loss) if compiled else loss

        def run():
            optimizer.zero_grad()
            value = call()
            value.backward()
            optimizer.step()
            return value.detach()

    return run, run().float().cpu().numpy(), entry


def measure(folder: pathlib.Path, kind: str, precision: str, layout: str, compiled: bool, repeats: int, wait) -> dict:
    """Prepares, calls ``wait`` and then times: clips per second, milliseconds, memory, and the distance from ours."""
    cuda = torch.cuda.is_available()
    started = time.perf_counter()
    run, first, entry = prepared(folder, kind, precision, layout, compiled)
    run()
    if cuda:
        torch.cuda.synchronize()
    seconds_to_compile = time.perf_counter() - started
    wait()
    expected = np.load(folder / entry["stored"])["output 0"]
    error = float(np.abs(taken(first) - expected).max() / np.abs(expected).max())
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    times = timed(run, lambda _: torch.cuda.synchronize() if cuda else None, entry["batch_size"], repeats)
    return {
        "name": f"PyTorch x3d_s {kind}, {layout}{', torch.compile' if compiled else ''}",
        "precision": precision,
        "first_output_error": error,
        **times,
        "gigabytes": torch.cuda.max_memory_allocated() / 1e9 if cuda else None,
        "seconds_to_compile": seconds_to_compile if compiled else None,
    }


def main() -> None:
    """One line of JSON for every measurement; with --compiled, "ready" before, and a line of input is waited for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=KINDS)
    parser.add_argument("--precision", choices=PRECISIONS)
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    folder = pathlib.Path(__file__).parent

    def wait():
        print("ready", flush=True)
        sys.stdin.readline()

    if arguments.compiled:
        tasks = [(arguments.kind, arguments.precision, "channels_last_3d", True)]
    else:
        tasks = [(kind, p, layout, False) for p, kind, layout in itertools.product(PRECISIONS, KINDS, LAYOUTS)]
    for task in tasks:
        try:
            found = measure(folder, *task, arguments.repeats, wait if arguments.compiled else lambda: None)
        except Exception as error:  # one failure is no reason to lose what follows
            found = {"name": f"PyTorch x3d_s {task}", "error": f"{type(error).__name__}: {error}"[:500]}
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
