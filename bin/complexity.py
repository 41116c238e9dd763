#!/usr/bin/env python3
"""Prints what an architecture costs, how large a space is, or how our counts compare with the paper's.

  python bin/complexity.py --genotype=x3d_s --resolution=182
  python bin/complexity.py --genotype=runs/demo/train/genotype.json --json
  python bin/complexity.py --space=table1 --gin_bindings="table1.dense_frames = 16"
  python bin/complexity.py --space=table1 --gin_file=mine.gin
  python bin/complexity.py --space=my_space.py
  python bin/complexity.py --genotype=manual_tsnet_70 --memory
  python bin/complexity.py --published

Multiply-adds (MACs) are per view. A video is tested with 10 views (10-Center, crops as in training) or 30
(10-LeftCenterRight, larger crops: give that --resolution, such as 182 for a model of 160 pixels).
--space also prints what each step of a progressive search can reach, at the crop and frames of the gin file's data set.
--memory: what a training step takes of a device, by clips per replica (or per microbatch), crop and precision.
"""

import dataclasses
import json
from collections.abc import Sequence

from absl import flags

from tsnet_tf import cli, configurables, console, settings
from tsnet_tf.errors import UserError
from tsnet_tf.settings import Reference, Settings
from tsnet_tf.space import cost, genotype, memory, published, reach, table1
from tsnet_tf.space import two_stream as ts

GENOTYPE = cli.DEFINE_path("genotype", None, "Name of a published architecture, or path of a genotype file.")
RESOLUTION = flags.DEFINE_integer(
    "resolution", None, "Side of the input, pixels; default the genotype's.", lower_bound=1
)
FRAMES = flags.DEFINE_integer("frames", None, "Frames of a single-stream genotype; default its own.", lower_bound=1)
SPACE = cli.DEFINE_path("space", None, "table1, or path of a .json or .py file: counts its architectures.")
PUBLISHED = flags.DEFINE_bool("published", False, "Every size that the paper states, beside ours.")
MEMORY = flags.DEFINE_bool("memory", False, "With --genotype: what a training step takes of a device's memory.")
JSON = flags.DEFINE_bool("json", False, "Print JSON instead of a table.")

CLIPS = (1, 2, 4, 8, 16, 32, 64)  # per replica
CROPS = (112, 160, 224)  # pixels, where no --resolution is given
STEPS = tuple(f"gin/steps/{name}.gin" for name in ("sparse", "dense_fusion", "attention"))
VIEWS = (10, 30)  # of one video: 10-Center and 10-LeftCenterRight


def check() -> None:
    wanted = [bool(GENOTYPE.value), bool(SPACE.value), PUBLISHED.value]
    if sum(wanted) != 1:
        raise UserError(
            "expected one of --genotype=NAME_OR_FILE, --space=table1 or FILE and --published, found "
            f"{sum(wanted)}; names are {', '.join(genotype.archived())}"
        )
    if MEMORY.value and not GENOTYPE.value:
        raise UserError("--memory: expected with --genotype only")
    if not GENOTYPE.value and (RESOLUTION.value or FRAMES.value):
        raise UserError("--resolution and --frames: expected with --genotype only")


def main() -> None:
    if PUBLISHED.value:
        show_published()
    elif SPACE.value:
        show_space(settings.read(cli.GIN_FILE.value, cli.GIN_BINDINGS.value))
    else:
        show_genotype()


def show_genotype() -> None:
    space = genotype.load(GENOTYPE.value)
    if FRAMES.value:
        if space.dense is not None:
            raise UserError("--frames: expected a single-stream genotype, found one with two streams")
        space = dataclasses.replace(space, streams=(dataclasses.replace(space.sparse, frames=FRAMES.value),))
    if MEMORY.value:
        show_memory(space, (RESOLUTION.value,) if RESOLUTION.value else CROPS)
        return
    resolution = RESOLUTION.value or space.resolution
    found = cost.complexity(space, resolution)
    shapes = cost.output_shapes(space, resolution)
    per_video = {str(views): views * found.gmacs for views in VIEWS}
    if JSON.value:
        rows = [
            {
                "stream": stream,
                "stage": place,
                "gmacs": row.macs / 1e9,
                "params_m": row.params / 1e6,
                "activations_m": row.activations / 1e6,
                "output_shape": shapes[stream, place],
            }
            for (stream, place), row in found.rows.items()
        ]
        summary = {
            "genotype": space.name,
            "resolution": resolution,
            "frames": space.frames,
            "gmacs": found.gmacs,
            "params_m": found.params_m,
            "activations_m": found.activations_m,
            "gmacs_per_video": per_video,
        }
        print(json.dumps({**summary, "rows": rows}, indent=2))
        return

    def line(stream: str, place: str, of: cost.Cost, shape: str = "") -> list[str]:
        return [stream, place, *(f"{n:.4f}" for n in (of.macs / 1e9, of.params / 1e6, of.activations / 1e6)), shape]

    console.table(
        f"{space.name}: {space.frames} frames of {resolution} x {resolution}, one view",
        ["stream", "stage", "GMACs", "params M", "activations M", "output C x T x H x W"],
        [
            *(line(*key, row, " x ".join(map(str, shapes[key]))) for key, row in found.rows.items()),
            line("all", "", found.total),
            *(["one video", f"{views} views", f"{gmacs:.4f}", "", "", ""] for views, gmacs in per_video.items()),
        ],
    )


def show_memory(space: ts.Space, crops: tuple[int, ...]) -> None:
    """Training steps with SGD, by crop, clips and precision."""
    rows = [
        {
            "pixels": crop,
            "clips": clips,
            **{policy: memory.of_training(space, clips, crop, policy).gigabytes for policy in memory.BYTES},
        }
        for crop in crops
        for clips in CLIPS
    ]
    weights = memory.of_training(space, 1).weights / 1e9
    if JSON.value:
        process = memory.PROCESS / 1e9
        print(
            json.dumps({"genotype": space.name, "weights_gb": weights, "process_gb": process, "rows": rows}, indent=2)
        )
        return
    console.table(
        f"{space.name}: GB of a training step with SGD, {space.frames} frames; "
        f"{weights:.3f} of it are weights, gradients and momentum",
        ["crop, pixels", "clips per replica or microbatch", *memory.BYTES],
        [[row["pixels"], row["clips"], *(f"{row[policy]:.2f}" for policy in memory.BYTES)] for row in rows],
    )
    console.say(
        f"On a processor, TensorFlow itself takes {memory.PROCESS / 1e9:.1f} GB more; Adam, four bytes a weight."
    )


def show_space(given: Settings) -> None:
    """The space, what of it is searched, and what each progressive step can reach."""
    space = space_with(given)
    clips = {name: given.value(f"VideoDataset.{name}") for name in ("crop", "sparse_frames", "dense_frames")}
    if any(clips.values()):  # clips are the data set's, where there is one
        own = (space.resolution, space.sparse.frames, space.frames)
        space = ts.for_clips(space, *(value or other for value, other in zip(clips.values(), own, strict=True)))
    blocks = ("temporal_kernel", "spatial_kernel", "channels", "expansion")
    kinds = {
        "sparse stream": [f"sparse/*/{kind}" for kind in blocks],
        "dense stream": [f"dense/*/{kind}" for kind in blocks],
        "fusion": ["*/fusion"],
        "attention": ["*/attention"],
        "all": ["*"],
    }
    smallest = ts.values_of(cost.smallest(space))
    rows = []
    for name, free in kinds.items():
        if space.dense is None and name in ("dense stream", "fusion"):
            continue
        part = ts.restrict(space, free, smallest)
        rows.append((name, len(ts.choices(part)), ts.size(part), ts.entropy_of_uniform(part)))
    low, high = cost.complexity(cost.smallest(space)).gmacs, cost.complexity(cost.largest(space)).gmacs
    reached = reach_of_steps(space, given.value("progressive.steps") or STEPS)
    if JSON.value:
        parts = [dict(zip(("part", "choices", "architectures", "nats"), row, strict=True)) for row in rows]
        content = {"space": space.name, "gmacs": {"smallest": low, "largest": high}, "parts": parts, "steps": reached}
        print(json.dumps(content, indent=2, default=dataclasses.asdict))
        return
    console.table(
        f"{space.name}: {low:.3g} to {high:.3g} GMACs per view at {space.resolution} x {space.resolution}",
        ["part", "choices", "architectures", "nats"],
        [
            (name, choices, f"{count:.2g}" if count > 1e6 else count, f"{nats:.1f}")
            for name, choices, count, nats in rows
        ],
    )
    if reached:
        console.table(
            "Progressive search: the cheapest and the most expensive architecture that each step can find",
            ["step", "GMACs", "parameters, M"],
            [[row["step"], str(row["gmacs"]), str(row["params_m"])] for row in reached],
        )


def space_with(given: Settings) -> ts.Space:
    """The space that --space names; that of the paper with the settings ``given``, without gin and what it imports."""
    if SPACE.value != "table1":
        return genotype.load_space(SPACE.value)
    names = [one for one in configurables.known()["table1"].parameters if f"table1.{one}" in given.in_force]
    for name in names:
        if any(isinstance(part, Reference) for part in given.in_force[f"table1.{name}"].parts):
            raise UserError(f"table1.{name}: expected a value, found one that another function returns")
    values = {name: given.value(f"table1.{name}") for name in names}
    return table1.table1(**values)


def reach_of_steps(space: ts.Space, gin_files: Sequence[str]) -> list[dict]:
    """What each search step can reach, in GMACs and in millions of parameters; none for a space of one stream."""
    if space.dense is None:
        return []
    read = [settings.read([path]) for path in gin_files]
    steps = [reach.Step(*(one.value(f"search.{name}") for name in ("name", "streams", "free"))) for one in read]
    spaces = [space] * len(steps)
    gmacs = reach.ranges(spaces, steps, lambda one: cost.complexity(one).gmacs)
    params = reach.ranges(spaces, steps, lambda one: cost.complexity(one).params_m)
    return [
        {"step": step.name, "gmacs": one, "params_m": other}
        for step, one, other in zip(steps, gmacs, params, strict=True)
    ]


def show_published() -> None:
    found = published.figures()
    if JSON.value:
        print(json.dumps([{**dataclasses.asdict(f), "difference": f.difference} for f in found], indent=2))
        return
    console.table(
        "The paper's figures about size, and ours",
        ["source", "model", "quantity", "published", "ours", "difference"],
        [(f.source, f.model, f.quantity, f"{f.published:g}", f"{f.ours:.4g}", f"{f.difference:+.1%}") for f in found],
    )


if __name__ == "__main__":
    cli.run(main, check=check, apply_settings=False)
