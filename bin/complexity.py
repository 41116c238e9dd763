"""Prints what an architecture costs: multiply-adds (MACs) per view and parameters, by stage and stream.

python bin/complexity.py --genotype=runs/demo/train/genotype.json
python bin/complexity.py --genotype=x3d_s --resolution=182 --json
"""

import dataclasses
import json

from absl import flags

from tsnet_tf import cli
from tsnet_tf.errors import UserError

GENOTYPE = flags.DEFINE_string("genotype", None, "Name of a published architecture, or path of a genotype file.")
RESOLUTION = flags.DEFINE_integer(
    "resolution", None, "Side of the input, pixels; default the genotype's.", lower_bound=1
)
FRAMES = flags.DEFINE_integer("frames", None, "Frames of a single-stream genotype; default its own.", lower_bound=1)
JSON = flags.DEFINE_bool("json", False, "Print JSON instead of a table.")


def main() -> None:
    from tsnet_tf import console
    from tsnet_tf.space import cost, genotype

    if not GENOTYPE.value:
        raise UserError(f"expected --genotype=NAME_OR_FILE, with NAME one of {', '.join(genotype.archived())}")
    space = genotype.load(GENOTYPE.value)
    if FRAMES.value:
        if space.dense is not None:
            raise UserError("--frames: expected a single-stream genotype, found one with two streams")
        space = dataclasses.replace(space, streams=(dataclasses.replace(space.sparse, frames=FRAMES.value),))
    resolution = RESOLUTION.value or space.resolution
    found = cost.complexity(space, resolution)
    rows = [
        {"stream": stream, "stage": place, "gmacs": row.macs / 1e9, "params_m": row.params / 1e6}
        for (stream, place), row in found.rows.items()
    ]
    if JSON.value:
        summary = {"genotype": space.name, "resolution": resolution, "frames": space.frames, "gmacs": found.gmacs}
        print(json.dumps({**summary, "params_m": found.params_m, "rows": rows}, indent=2))
        return
    console.table(
        f"{space.name}: {space.frames} frames of {resolution} x {resolution}, one view",
        ["stream", "stage", "GMACs", "params M"],
        [
            *([r["stream"], r["stage"], f"{r['gmacs']:.4f}", f"{r['params_m']:.4f}"] for r in rows),
            ["all", "", f"{found.gmacs:.4f}", f"{found.params_m:.4f}"],
        ],
    )


if __name__ == "__main__":
    cli.run(main)
