#!/usr/bin/env python3
"""Measures speed and memory. Figures are for this machine; what is compared is measured in turn, medians.

  python bin/benchmark.py layers --against=pytorch     # the depthwise convolution
  python bin/benchmark.py model --against=pytorch      # inference and training, and how far from the machine's limits
  python bin/benchmark.py model --part=growth          # with the batch, frames, crop, width and K
  python bin/benchmark.py model --check=docs/speed.json
  python bin/benchmark.py search                       # the price of searching, on the paper's space at full size
  python bin/benchmark.py search --part=price --architectures=10
  python bin/benchmark.py search --part=logging --gin_file=gin/demo/sparse.gin --batch_size=32
  python bin/benchmark.py data                         # reading clips, and preparing videos
  python bin/benchmark.py latency --gin_file=gin/demo/dense_fusion.gin --output=latency.json
  python bin/benchmark.py latency --genotype=runs/fast/genotype.json
  python bin/benchmark.py serving --genotype=manual_tsnet_70
  python bin/benchmark.py serving --workdir=runs/demo/train
  python bin/benchmark.py hlo --output=DIR             # programs that JAX alone runs, on a GPU without TensorFlow

layers: forward and both gradients at four shapes, against the sum over taps by automatic gradients.
model: X3D-S and the two-stream model of the same multiply-adds; parts inference, training, blocks (against the rate of
matrix products and the bandwidth of memory) and growth. --check: the ratios of now against those that a file has; it
writes the file if there is none, and never fails because of what it found.
search: parts price (a sampled architecture in the supernet against the fixed model of the same genotype, forward and
backward), joint (the whole step), memory (K = 2 and 16 against plain training), tracing (until the first step is done);
and, if asked for, logging (the search of a sparse stream with and without its records, pictures and events).
data: our pipeline against bare JPEG decoding and the Model Garden's; preparation against bare PyAV.
latency: what every piece of a space takes on this device, for search.target_latency_ms; or what one genotype takes.
serving: what an exported model takes to answer, with batch normalisation folded and not, at batch 1 and 8.
hlo: parts inference, training and joint (the search step with masks) as HLO, with inputs and the numbers that have to
come out; `python DIR/run.py` checks and times them, beside X3D-S in PyTorch if that is there.
"""

import json
import os
import tempfile

from absl import flags

from tsnet_tf import cli, console, paths
from tsnet_tf.errors import UserError
from tsnet_tf.search import spaces
from tsnet_tf.space import genotype
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import only, restrict

LOGGING = "logging"  # asked for by itself: it is about a small space, others are about the paper's
PARTS = {
    "model": ("inference", "training", "blocks"),
    "search": ("price", "joint", "memory", "tracing"),
    "hlo": ("inference", "training", "joint"),
}
ASKED_FOR = {"model": ("growth",), "search": (LOGGING,), "hlo": ()}
SEARCHED_FIRST = ("temporal_kernel", "spatial_kernel", "channels", "expansion")  # gin/steps/sparse.gin
SHARES = ("share", "processor_share", "inside")
LOGGING_STEPS, LOGGING_EVERY = 240, 10  # as in the first step of the demo, whose steps are the shortest there are
PART = flags.DEFINE_string(
    "part", None, "Only this part. " + "; ".join(f"{c}: {', '.join((*PARTS[c], *ASKED_FOR[c]))}" for c in PARTS) + "."
)
AGAINST = flags.DEFINE_enum("against", None, ["pytorch"], "layers, model: beside it (pip install -e .[bench]).")
CHECK = cli.DEFINE_path("check", None, "model: a file of ratios to compare with.")
BATCH_SIZE = flags.DEFINE_integer(
    "batch_size",
    None,
    "Clips at once; default 4; inference: 1, 4 and 8; latency: 1; serving: 1 and 8; hlo: 8.",
    lower_bound=1,
)
GENOTYPE = cli.DEFINE_path(
    "genotype", None, "Name or file. latency: measured, without a table; serving, without --workdir: manual_tsnet_70."
)
SPACE = cli.DEFINE_path("space", "table1", "latency, search --part=logging: table1, or path of a .json or .py file.")
OUTPUT = cli.DEFINE_path("output", None, "latency: the file to write; hlo: the folder.")
ARCHITECTURES = flags.DEFINE_integer("architectures", 10, "search: architectures of 0.8 to 3 GMACs.", lower_bound=1)
REPEATS = flags.DEFINE_integer("repeats", 5, "All but latency: measurements of everything.", lower_bound=1)
JSON = flags.DEFINE_bool("json", False, "All but latency: print JSON instead of tables.")


def layers() -> None:
    from tsnet_tf.benchmark import depthwise

    rows = depthwise.measure(REPEATS.value, _pytorch())
    if _as_json({"depthwise": rows}):
        return
    for kind, meaning in (("forward", "forward"), ("both", "forward and both gradients")):
        columns = [name for name in rows[0] if name.startswith(f"{kind} ")]
        _table(
            f"Depthwise convolution, batch x frames x side² x channels, t, k: {meaning}, milliseconds and ratios",
            [{"shape": row["shape"], **{name.removeprefix(f"{kind} "): row[name] for name in columns}} for row in rows],
        )


def model() -> None:
    from tsnet_tf.benchmark import growth, model_speed, roofline

    if CHECK.value:
        _check(CHECK.value)
        return
    parts, repeats = _parts("model"), REPEATS.value
    results: dict = {}
    if "inference" in parts:
        batch_sizes = [BATCH_SIZE.value] if BATCH_SIZE.value else [1, 4, 8]
        results["inference"] = model_speed.inference(batch_sizes, repeats, _pytorch())
    if "training" in parts:
        results["training"] = model_speed.training(BATCH_SIZE.value or 4, repeats, _pytorch())
    if "blocks" in parts:
        name = model_speed.YARDSTICK
        results["blocks"] = roofline.blocks(genotype.load(name), BATCH_SIZE.value or 4, repeats)
    if "growth" in parts:
        results["growth"] = growth.measure()
    if _as_json(results):
        return
    titles = {
        "inference": "Inference, batch normalisation folded: clips per second, and ratios",
        "training": "Training, SGD: clips per second, and ratios",
        "blocks": f"Blocks of {model_speed.YARDSTICK}, folded: milliseconds, against the limits of this machine",
        "growth": "Steps: seconds, memory, and the power of what is varied that they grow with",
    }
    for part in parts:
        _table(titles[part], results[part])


def search() -> None:
    from tsnet_tf.benchmark import machine, search_step

    parts, space, batch_size = _parts("search"), table1(), BATCH_SIZE.value or 4
    results: dict = {"batch_size": batch_size}
    if "price" in parts or "joint" in parts:
        near = search_step.architectures_between(space, 1, 1.95, 2.05)
    if "price" in parts:
        between = search_step.architectures_between(space, ARCHITECTURES.value, 0.8, 3.0)
        results["price"] = search_step.price(space, batch_size, between, REPEATS.value, mask=False)
        results["price_at_2_gmacs"] = search_step.price(space, batch_size, near, REPEATS.value, mask=True)
    if "joint" in parts:
        results["joint"] = [search_step.joint_price(space, batch_size, 8, near[0], REPEATS.value)]
    if "memory" in parts:
        # Every process goes through 16 architectures, and the largest is what all of them have to hold.
        largest = search_step.largest_drawn(space, 16).tolist()
        calls = {f"K = {k}": (search_step.joint_step, space, batch_size, k, largest, 16 // k) for k in (2, 16)}
        calls["plain training"] = (search_step.plain_training, space, batch_size, largest, 16)
        found = {name: machine.in_fresh_process(*call) for name, call in calls.items()}
        results["memory"] = [{"what": name, "GB": one["peak_gigabytes"]} for name, one in found.items()]
    if "tracing" in parts:
        results["tracing"] = [machine.in_fresh_process(search_step.joint_step, space, batch_size, 2)]
    if LOGGING in parts:
        sparse = restrict(
            only(spaces.named(SPACE.value), ["sparse"]), [f"sparse/*/{kind}" for kind in SEARCHED_FIRST], {}
        )
        results[LOGGING] = search_step.logging(sparse, batch_size, LOGGING_STEPS, LOGGING_EVERY, REPEATS.value)
    if _as_json(results):
        return
    titles = {
        "price": f"Forward and backward, batch {batch_size}, {space.resolution} pixels: seconds and ratios",
        "price_at_2_gmacs": "The same at 2 GMACs, masks too",
        "joint": f"A joint step at K = 8, batch {batch_size}: seconds a sample, and ratios",
        "memory": "Peak memory, the largest of 16 architectures that a search draws at its start",
        "tracing": "The joint step, from nothing: seconds",
    }
    for name, title in titles.items():
        if name in results:
            _table(title, results[name])
    if LOGGING in parts:
        found = results[LOGGING]
        console.table(
            f"{LOGGING_STEPS} search steps, batch {batch_size}, a record every {LOGGING_EVERY}",
            ["without records, s", "with, s", "with / without", "in processor time", "timed inside"],
            [[f"{found['without']:.1f}", f"{found['with']:.1f}", *(f"{found[n]:+.1%}" for n in SHARES)]],
        )


def latency() -> None:
    from tsnet_tf import atomic
    from tsnet_tf.benchmark import machine
    from tsnet_tf.models.two_stream import TwoStreamModel
    from tsnet_tf.search import latency as latencies

    batch_size = BATCH_SIZE.value or 1
    if GENOTYPE.value:
        found = genotype.load(GENOTYPE.value)
        milliseconds = latencies.of_model(TwoStreamModel(found), batch_size)
        console.say(f"{found.name}: {milliseconds:.2f} ms per batch of {batch_size}")
        return
    table = {"machine": machine.description(), **latencies.measure(spaces.named(SPACE.value), batch_size)}
    atomic.write_json(OUTPUT.value, table)
    console.table(
        f"Whole models of {table['space']}, batch {table['batch_size']}",
        [f"sum over pieces x {table['scale']:.3f}, ms", "measured, ms"],
        [[f"{table['scale'] * row['summed']:.2f}", f"{row['measured']:.2f}"] for row in table["whole_models"]],
    )
    console.say(f"{len(table['pieces'])} pieces: {OUTPUT.value}")


def data() -> None:
    from tsnet_tf.benchmark import data_pipeline

    repeats = REPEATS.value
    with tempfile.TemporaryDirectory() as folder:
        results = {
            "reading": {
                "demo, 40 x 32": data_pipeline.reading(
                    f"{folder}/demo",
                    "gin/data/demo.gin",
                    (32, 40),
                    videos=64,
                    batch_size=32,
                    batches=24,
                    repeats=repeats,
                ),
                "340 x 256": data_pipeline.reading(
                    f"{folder}/big",
                    "gin/data/kinetics400.gin",
                    (256, 340),
                    videos=8,
                    batch_size=4,
                    batches=10,
                    repeats=repeats,
                ),
            },
            "preparation": {"320 x 240": data_pipeline.preparation(f"{folder}/videos", 4, repeats)},
        }
    if _as_json(results):
        return
    for name, unit in (("reading", "clips of the dense stream"), ("preparation", "videos of 80 frames, one thread,")):
        _table(
            f"{name}: {unit} per second, and ratios",
            [{"frames": size, **row} for size, row in results[name].items()],
        )


def serving() -> None:
    from tsnet_tf.benchmark import model_speed, serving_latency
    from tsnet_tf.models.two_stream import TwoStreamModel
    from tsnet_tf.training import run_folder

    workdir, name = cli.WORKDIR.value, GENOTYPE.value or model_speed.TWO_STREAMS
    model = run_folder.load_trained(workdir)[0] if workdir else TwoStreamModel(genotype.load(name))
    batch_sizes = [BATCH_SIZE.value] if BATCH_SIZE.value else [1, 8]
    rows = serving_latency.measure(model, batch_sizes, REPEATS.value)
    if _as_json({"model": model.space.name, "serving": rows}):
        return
    _table(
        f"{model.space.name}: {model.space.frames} frames of {model.space.resolution} pixels, milliseconds a request",
        rows,
    )


def write_programs() -> None:
    from tsnet_tf.benchmark import hlo

    hlo.write(OUTPUT.value, hlo.programs(_parts("hlo"), BATCH_SIZE.value or 8))
    console.say(f"python {os.path.join(OUTPUT.value, 'run.py')} --output=results.json")


COMMANDS = {
    "layers": layers,
    "model": model,
    "search": search,
    "data": data,
    "latency": latency,
    "serving": serving,
    "hlo": write_programs,
}


def _parts(command: str) -> tuple[str, ...]:
    return (PART.value,) if PART.value else PARTS[command]


def _pytorch():
    from tsnet_tf.benchmark import machine, pytorch

    return pytorch.load(machine.THREADS) if AGAINST.value else None


def _check(path: str) -> None:
    from tsnet_tf import atomic
    from tsnet_tf.benchmark import machine, model_speed

    found = model_speed.ratios(REPEATS.value)
    if not os.path.exists(path):
        atomic.write_json(path, {"machine": machine.description(), "ratios": found})
    rows = model_speed.check(path, found)
    if not _as_json({"check": rows}):
        _table(f"Against {path}", rows)
        fell = [row["ratio"] for row in rows if row["says"] == "fell"]
        console.say("; ".join(f"{ratio} fell" for ratio in fell) or "Nothing fell.")


def _as_json(results: dict) -> bool:
    """Prints everything as JSON if that is wanted; else what it was measured on, for tables to follow."""
    from tsnet_tf.benchmark import machine

    described = machine.description()
    if JSON.value:
        print(json.dumps({"machine": described, **results}, indent=2))
    else:
        console.say(", ".join(f"{name} {value}" for name, value in described.items()))
    return JSON.value


def _table(title: str, rows: list[dict]) -> None:
    console.table(title, list(rows[0]), [[_shown(value) for value in row.values()] for row in rows])


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    if isinstance(value, float):
        return f"{value:.3g}" if value < 1000 else f"{value:.0f}"
    return "" if value is None else str(value)


def check(command: str) -> None:
    if command not in COMMANDS:
        raise UserError(f"expected a command out of {', '.join(COMMANDS)}; found '{command}'")
    for flag, commands in ((PART, tuple(PARTS)), (AGAINST, ("layers", "model")), (CHECK, ("model",))):
        if flag.value and command not in commands:
            raise UserError(f"--{flag.name}: expected with {' or '.join(commands)} only, found with {command}")
    known = (*PARTS.get(command, ()), *ASKED_FOR.get(command, ()))
    if PART.value and PART.value not in known:
        raise UserError(f"--part: expected one of {', '.join(known)} for {command}; found '{PART.value}'")
    if GENOTYPE.value:
        genotype.load(GENOTYPE.value)
    if command == "latency" and not GENOTYPE.value:
        cli.need(OUTPUT, "FILE for the table")
        paths.check_can_be_written(OUTPUT.value, "--output")
    if command == "hlo":
        cli.need(OUTPUT, "DIR for the programs")
        paths.check_folder_can_be_written(OUTPUT.value, "--output")
    if CHECK.value and not os.path.exists(CHECK.value):
        paths.check_can_be_written(CHECK.value, "--check")
    if command == "serving" and cli.WORKDIR.value:
        cli.need_run(cli.WORKDIR)


def main(command: str) -> None:
    COMMANDS[command]()


if __name__ == "__main__":
    cli.run(main, argument="command", check=check)
