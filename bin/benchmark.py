"""Measures speed and memory. Figures are for this machine; what is compared is measured in turn, medians.

  python bin/benchmark.py search                  # the price of searching, on the paper's space at full size
  python bin/benchmark.py search --part=price --architectures=10
  python bin/benchmark.py search --part=logging --gin_file=gin/demo/sparse.gin --batch_size=32
  python bin/benchmark.py data                    # reading clips, and preparing videos
  python bin/benchmark.py latency --gin_file=gin/demo/dense_fusion.gin --output=latency.json
  python bin/benchmark.py latency --genotype=runs/fast/genotype.json
  python bin/benchmark.py serving --genotype=manual_tsnet_70
  python bin/benchmark.py serving --workdir=runs/demo/train

search: a sampled architecture in the supernet against the fixed model of the same genotype (forward and backward);
memory of the joint step with K = 2 and 16 against plain training; time until the first step is done. With
--part=logging: the search of a sparse stream with and without its records, pictures and TensorBoard events.
data: our pipeline against bare JPEG decoding and the Model Garden's; preparation against bare PyAV.
latency: what every piece of a space takes on this device, for search.target_latency_ms; or what one genotype takes.
serving: what an exported model takes to answer, with batch normalisation folded and not, at batch 1 and 8.
"""

import json
import tempfile

from absl import flags

from tsnet_tf import cli

cli.silence_libraries()

# What gin files can name must be known before the flags are read.
from tsnet_tf import atomic, console  # noqa: E402
from tsnet_tf.benchmark import data_pipeline, machine, search_step, serving_latency  # noqa: E402
from tsnet_tf.errors import UserError  # noqa: E402
from tsnet_tf.models.two_stream import TwoStreamModel  # noqa: E402
from tsnet_tf.search import latency as latencies  # noqa: E402
from tsnet_tf.search import spaces  # noqa: E402
from tsnet_tf.space import genotype  # noqa: E402
from tsnet_tf.space.table1 import table1  # noqa: E402
from tsnet_tf.space.two_stream import only, restrict  # noqa: E402
from tsnet_tf.training import run_folder  # noqa: E402

PARTS = ("price", "memory", "tracing")
LOGGING = "logging"  # asked for by itself: it is about a small space, others are about the paper's
SEARCHED_FIRST = ("temporal_kernel", "spatial_kernel", "channels", "expansion")  # gin/steps/sparse.gin
SHARES = ("share", "processor_share", "inside")
LOGGING_STEPS, LOGGING_EVERY = 240, 10  # as in the first step of the demo, whose steps are the shortest there are
PART = flags.DEFINE_enum("part", None, (*PARTS, LOGGING), "search: only this part.")
BATCH_SIZE = flags.DEFINE_integer(
    "batch_size", None, "Clips at once; default 4; latency: 1; serving: 1 and 8.", lower_bound=1
)
GENOTYPE = flags.DEFINE_string(
    "genotype", None, "Name or file. latency: measured, without a table; serving, without --workdir: manual_tsnet_70."
)
SPACE = flags.DEFINE_string(
    "space", "table1", "latency, search --part=logging: table1, or path of a .json or .py file."
)
OUTPUT = flags.DEFINE_string("output", None, "latency: the file to write.")
ARCHITECTURES = flags.DEFINE_integer("architectures", 10, "search: architectures of 0.8 to 3 GMACs.", lower_bound=1)
REPEATS = flags.DEFINE_integer("repeats", 5, "search, data, serving: measurements of everything.", lower_bound=1)
JSON = flags.DEFINE_bool("json", False, "search, data, serving: print JSON instead of tables.")


def search() -> None:
    parts, space, batch_size = [PART.value] if PART.value else PARTS, table1(), BATCH_SIZE.value or 4
    results = {"machine": machine.description(), "batch_size": batch_size}
    if "price" in parts:
        between = search_step.architectures_between(space, ARCHITECTURES.value, 0.8, 3.0)
        results["price"] = search_step.price(space, batch_size, between, REPEATS.value, mask=False)
        near = search_step.architectures_between(space, 1, 1.95, 2.05)
        results["price_at_2_gmacs"] = search_step.price(space, batch_size, near, REPEATS.value, mask=True)
    if "memory" in parts:
        # Every process goes through 16 architectures, and the largest is what all of them have to hold.
        largest = search_step.largest_drawn(space, 16).tolist()
        calls = {f"K = {k}": f"joint_step(table1(), {batch_size}, {k}, {largest}, steps={16 // k})" for k in (2, 16)}
        calls["plain training"] = f"plain_training(table1(), {batch_size}, {largest}, steps=16)"
        results["memory"] = {name: search_step.in_fresh_process(call) for name, call in calls.items()}
    if "tracing" in parts:
        results["tracing"] = search_step.in_fresh_process(f"joint_step(table1(), {batch_size}, 2)")
    if LOGGING in parts:
        sparse = restrict(
            only(spaces.named(SPACE.value), ["sparse"]), [f"sparse/*/{kind}" for kind in SEARCHED_FIRST], {}
        )
        results[LOGGING] = search_step.logging(sparse, batch_size, LOGGING_STEPS, LOGGING_EVERY, REPEATS.value)
    if JSON.value:
        print(json.dumps(results, indent=2))
        return
    console.say(", ".join(f"{name} {value}" for name, value in results["machine"].items()))
    for name in ("price", "price_at_2_gmacs"):
        rows = results.get(name, [])
        if rows:
            console.table(
                f"Forward and backward, batch {batch_size}, {space.resolution} pixels: seconds and ratios",
                list(rows[0]),
                [[f"{value:.3g}" for value in row.values()] for row in rows],
            )
    if "memory" in parts:
        console.table(
            "Peak memory, the largest of 16 architectures that a search draws at its start",
            ["what", "GB"],
            [[name, f"{found['peak_gigabytes']:.2f}"] for name, found in results["memory"].items()],
        )
    if "tracing" in parts:
        console.table(
            "The joint step, from nothing: seconds",
            list(results["tracing"]),
            [[f"{value:.3g}" for value in results["tracing"].values()]],
        )
    if LOGGING in parts:
        found = results[LOGGING]
        console.table(
            f"{LOGGING_STEPS} search steps, batch {batch_size}, a record every {LOGGING_EVERY}",
            ["without records, s", "with, s", "with / without", "in processor time", "timed inside"],
            [[f"{found['without']:.1f}", f"{found['with']:.1f}", *(f"{found[n]:+.1%}" for n in SHARES)]],
        )


def latency() -> None:
    batch_size = BATCH_SIZE.value or 1
    if GENOTYPE.value:
        found = genotype.load(GENOTYPE.value)
        milliseconds = latencies.of_model(TwoStreamModel(found), batch_size)
        console.say(f"{found.name}: {milliseconds:.2f} ms per batch of {batch_size}")
        return
    if not OUTPUT.value:
        raise UserError("expected --output=FILE for the table, found none")
    table = {"machine": machine.description(), **latencies.measure(spaces.named(SPACE.value), batch_size)}
    atomic.write_json(OUTPUT.value, table)
    console.table(
        f"Whole models of {table['space']}, batch {table['batch_size']}",
        [f"sum over pieces x {table['scale']:.3f}, ms", "measured, ms"],
        [[f"{table['scale'] * row['summed']:.2f}", f"{row['measured']:.2f}"] for row in table["whole_models"]],
    )
    console.say(f"{len(table['pieces'])} pieces: {OUTPUT.value}")


def data() -> None:
    repeats = REPEATS.value
    with tempfile.TemporaryDirectory() as folder:
        results = {
            "machine": machine.description(),
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
    if JSON.value:
        print(json.dumps(results, indent=2))
        return
    console.say(", ".join(f"{name} {value}" for name, value in results["machine"].items()))
    for name, unit in (("reading", "clips of the dense stream"), ("preparation", "videos of 80 frames, one thread,")):
        rows = results[name]
        console.table(
            f"{name}: {unit} per second, and ratios",
            ["frames", *next(iter(rows.values()))],
            [[size, *(f"{value:.3g}" for value in row.values())] for size, row in rows.items()],
        )


def serving() -> None:
    workdir, name = cli.WORKDIR.value, GENOTYPE.value or "manual_tsnet_70"
    model = run_folder.load_trained(workdir)[0] if workdir else TwoStreamModel(genotype.load(name))
    batch_sizes = [BATCH_SIZE.value] if BATCH_SIZE.value else [1, 8]
    rows = serving_latency.measure(model, batch_sizes, REPEATS.value)
    results = {"machine": machine.description(), "model": model.space.name, "serving": rows}
    if JSON.value:
        print(json.dumps(results, indent=2))
        return
    console.say(", ".join(f"{name} {value}" for name, value in results["machine"].items()))
    console.table(
        f"{model.space.name}: {model.space.frames} frames of {model.space.resolution} pixels, milliseconds a request",
        list(rows[0]),
        [[f"{value:.4g}" for value in row.values()] for row in rows],
    )


COMMANDS = {"search": search, "data": data, "latency": latency, "serving": serving}


def main(command: str) -> None:
    if command not in COMMANDS:
        raise UserError(f"expected a command out of {', '.join(COMMANDS)}; found '{command}'")
    COMMANDS[command]()


if __name__ == "__main__":
    cli.run(main, argument="command")
