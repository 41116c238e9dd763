"""Trains one architecture from random weights.

  python bin/train.py --gin_file=gin/train/scratch.gin --gin_file=gin/data/kinetics400.gin \
      --genotype=runs/attention/genotype.json --workdir=runs/train

Run the same command again to go on after an interruption.
"""

import functools

from tsnet_tf import cli, setting_mistakes
from tsnet_tf.space import genotype

GENOTYPE = cli.DEFINE_path("genotype", None, "Name of a published architecture, or path of a genotype file.")


def check() -> None:
    cli.need(cli.WORKDIR, "DIR")
    cli.need(GENOTYPE, "NAME_OR_FILE")
    genotype.load(GENOTYPE.value)
    cli.need_writable(cli.WORKDIR, unless="summary.json")


def main() -> None:
    from tsnet_tf.training import train

    train.train(workdir=cli.WORKDIR.value, genotype=GENOTYPE.value)


if __name__ == "__main__":
    cli.run(main, check=check, check_settings=functools.partial(setting_mistakes.check, calls=["train"]))
