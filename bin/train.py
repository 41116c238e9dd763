"""Trains one architecture from random weights.

  python bin/train.py --gin_file=gin/train/scratch.gin --gin_file=gin/data/kinetics400.gin \
      --genotype=runs/attention/genotype.json --workdir=runs/train

Run the same command again to go on after an interruption.
"""

from absl import flags

from tsnet_tf import cli
from tsnet_tf.errors import UserError

GENOTYPE = flags.DEFINE_string("genotype", None, "Name of a published architecture, or path of a genotype file.")


def main() -> None:
    from tsnet_tf.training import train

    if not cli.WORKDIR.value or not GENOTYPE.value:
        raise UserError("expected --workdir=DIR and --genotype=NAME_OR_FILE, found at least one missing")
    train.train(workdir=cli.WORKDIR.value, genotype=GENOTYPE.value)


if __name__ == "__main__":
    cli.run(main)
