#!/usr/bin/env python3
"""Trains one architecture from random weights.

  python bin/train.py --gin_file=gin/train/scratch.gin --gin_file=gin/data/kinetics400.gin \
      --genotype=runs/attention/genotype.json --workdir=runs/train

--dry_run says what would be done: length, memory, time, what is read and written.
Run the same command again to go on after an interruption.
"""

import functools

from absl import flags

from tsnet_tf import cli, setting_mistakes, settings
from tsnet_tf.space import genotype

GENOTYPE = cli.DEFINE_path("genotype", None, "Name of a published architecture, or path of a genotype file.")
DRY_RUN = flags.DEFINE_bool("dry_run", False, "Say what would be done, and do nothing.")


def check() -> None:
    cli.need(cli.WORKDIR, "DIR")
    cli.need(GENOTYPE, "NAME_OR_FILE")
    genotype.load(GENOTYPE.value)
    cli.need_writable(cli.WORKDIR, unless="summary.json")


def main() -> None:
    from tsnet_tf.search import forecast
    from tsnet_tf.training import train

    if DRY_RUN.value:
        given = settings.read(cli.GIN_FILE.value, cli.GIN_BINDINGS.value)
        forecast.show([forecast.of_training(given, GENOTYPE.value, None, cli.WORKDIR.value)])
        return
    train.train(workdir=cli.WORKDIR.value, genotype=GENOTYPE.value)


if __name__ == "__main__":
    cli.run(main, check=check, check_settings=functools.partial(setting_mistakes.check, calls=["train"]))
