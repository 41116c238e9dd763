"""Runs one step of the architecture search and leaves the found architecture in the run folder.

  python bin/search.py --gin_file=gin/steps/sparse.gin --gin_file=gin/data/kinetics400.gin --workdir=runs/sparse
  python bin/search.py --gin_file=gin/steps/dense_fusion.gin --gin_file=gin/data/kinetics400.gin \
      --previous=runs/sparse --workdir=runs/dense_fusion

Run the same command again to go on after an interruption.
"""

from absl import flags

from tsnet_tf import cli
from tsnet_tf.errors import UserError

PREVIOUS = flags.DEFINE_string("previous", None, "Run folder of the step before, whose architecture is inherited.")


def main() -> None:
    from tsnet_tf.search import step

    if not cli.WORKDIR.value:
        raise UserError("expected --workdir=DIR, found none")
    step.show([step.search(workdir=cli.WORKDIR.value, previous=PREVIOUS.value)])


if __name__ == "__main__":
    cli.run(main)
