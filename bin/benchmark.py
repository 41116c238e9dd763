#!/usr/bin/env python3
"""Measures speed and memory. Figures are for this machine; what is compared is measured in turn, medians.

  python bin/benchmark.py layers --against=pytorch     # the depthwise convolution
  python bin/benchmark.py model --against=pytorch      # inference and training, and how far from the machine's limits
  python bin/benchmark.py model --part=growth          # with the batch, frames, crop, width and K
  python bin/benchmark.py model --check=docs/speed.json
  python bin/benchmark.py search                       # what searching costs, on the paper's space at full size
  python bin/benchmark.py search --part=overhead --architectures=10
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
search: parts overhead (a sampled architecture in the supernet against the fixed model of the same genotype, forward and
backward), joint (the whole step), memory (K = 2 and 16 against plain training), tracing (until the first step is done);
and, if asked for, logging (the search of a sparse stream with and without its records, pictures and events).
data: our pipeline against bare JPEG decoding and the Model Garden's; preparation against bare PyAV.
latency: what every operation of a space takes on this device, for search.target_latency_ms; or what one genotype takes.
serving: what an exported model takes to answer, with batch normalisation folded and not, at batch 1 and 8.
hlo: parts inference, training and joint (the search step with masks) as HLO, with inputs and the numbers that have to
come out; `python DIR/run.py` checks and times them, beside X3D-S in PyTorch if that is there.

`bin/benchmark.py model --help` shows what model takes, and so on.
"""

import dataclasses
import functools
import importlib
import os
import sys
from collections.abc import Callable

from absl import flags

from tsnet_tf import cli, paths
from tsnet_tf.errors import UserError
from tsnet_tf.space import genotype


@dataclasses.dataclass(frozen=True)
class Flag:
    """A flag that a subject has: how absl defines it, what it means there, and its default there."""

    define: Callable[[str, object, str], flags.FlagHolder]
    text: str
    default: object = None


number = functools.partial(flags.DEFINE_integer, lower_bound=1)
PARTS = {  # by themselves; those that have to be asked for
    "model": (("inference", "training", "blocks"), ("growth",)),
    "search": (("overhead", "joint", "memory", "tracing"), ("logging",)),
    "hlo": (("inference", "training", "joint"), ()),
}
PART = {
    subject: Flag(flags.DEFINE_string, f"Only this: {', '.join(own + others)}.")
    for subject, (own, others) in PARTS.items()
}
AGAINST = Flag(
    lambda name, default, text: flags.DEFINE_enum(name, default, ["pytorch"], text),
    "Beside it (pip install -e .[bench]).",
)
MEASURED = {
    "repeats": Flag(number, "Measurements of everything.", 5),
    "json": Flag(flags.DEFINE_bool, "Print JSON instead of tables.", False),
}
SUBJECTS = {
    "layers": {"against": AGAINST, **MEASURED},
    "model": {
        "part": PART["model"],
        "check": Flag(cli.DEFINE_path, "A file of ratios to compare with."),
        "batch_size": Flag(number, "Clips at once; default 4; inference: 1, 4 and 8."),
        "against": AGAINST,
        **MEASURED,
    },
    "search": {
        "part": PART["search"],
        "batch_size": Flag(number, "Clips at once.", 4),
        "architectures": Flag(number, "overhead: architectures of 0.8 to 3 GMACs.", 10),
        "space": Flag(cli.DEFINE_path, "logging: table1, or path of a .json or .py file.", "table1"),
        **MEASURED,
    },
    "data": MEASURED,
    "latency": {
        "genotype": Flag(cli.DEFINE_path, "Name or file: measured, without a table."),
        "space": Flag(cli.DEFINE_path, "table1, or path of a .json or .py file.", "table1"),
        "output": Flag(cli.DEFINE_path, "The file to write."),
        "batch_size": Flag(number, "Clips at once.", 1),
    },
    "serving": {
        "genotype": Flag(cli.DEFINE_path, "Name or file, without --workdir.", "manual_tsnet_70"),
        "batch_size": Flag(number, "Clips at once; default 1 and 8."),
        **MEASURED,
    },
    "hlo": {
        "part": PART["hlo"],
        "output": Flag(cli.DEFINE_path, "The folder to write."),
        "batch_size": Flag(number, "Clips at once.", 8),
    },
}


def meaning(name: str) -> str:
    """What a flag means, and with which subjects."""
    owners: dict[str, list[str]] = {}
    for subject, has in SUBJECTS.items():
        if name in has:
            owners.setdefault(has[name].text, []).append(subject)
    return " ".join(f"{', '.join(subjects)}: {text}" for text, subjects in owners.items())


def define(subject: str | None) -> dict[str, flags.FlagHolder]:
    """Defines a subject's flags; those of others too, so that `check` can say whose they are, but not for its help."""
    own = SUBJECTS.get(subject, {})
    others = {name: Flag(one.define, meaning(name)) for has in SUBJECTS.values() for name, one in has.items()}
    known = own if own and "--help" in sys.argv else others | own
    return {name: flag.define(name, flag.default, flag.text) for name, flag in known.items()}


FLAGS = define(next((argument for argument in sys.argv[1:] if argument in SUBJECTS), None))


def check(subject: str) -> None:
    if subject not in SUBJECTS:
        raise UserError(f"expected a command out of {', '.join(SUBJECTS)}; found '{subject}'")
    for name, flag in FLAGS.items():
        if flag.present and name not in SUBJECTS[subject]:
            owners = " or ".join(owner for owner, has in SUBJECTS.items() if name in has)
            raise UserError(f"--{name}: expected with {owners} only, found with {subject}")
    given = values(subject)
    known = sum(PARTS.get(subject, ()), ())
    if given.get("part") and given["part"] not in known:
        raise UserError(f"--part: expected one of {', '.join(known)} for {subject}; found '{given['part']}'")
    if given.get("genotype"):
        genotype.load(given["genotype"])
    if subject == "latency" and not given["genotype"]:
        cli.need(FLAGS["output"], "FILE for the table")
        paths.check_can_be_written(given["output"], "--output")
    if subject == "hlo":
        cli.need(FLAGS["output"], "DIR for the programs")
        paths.check_folder_can_be_written(given["output"], "--output")
    if given.get("check") and not os.path.exists(given["check"]):
        paths.check_can_be_written(given["check"], "--check")
    if subject == "serving" and cli.WORKDIR.value:
        cli.need_run(cli.WORKDIR)


def values(subject: str) -> dict[str, object]:
    """What the user gave, or else the subject's default."""
    return {name: FLAGS[name].value if FLAGS[name].present else own.default for name, own in SUBJECTS[subject].items()}


def main(subject: str) -> None:
    given = values(subject)
    if subject in PARTS:
        part = given.pop("part")
        given["parts"] = (part,) if part else PARTS[subject][0]
    if subject == "serving":
        given["workdir"] = cli.WORKDIR.value
    importlib.import_module(f"tsnet_tf.benchmark.subjects.{subject}").report(**given)


if __name__ == "__main__":
    cli.run(main, argument="command", check=check)
