"""Runs one step of the architecture search and leaves the found architecture in the run folder.

  python bin/search.py --gin_file=gin/steps/sparse.gin --gin_file=gin/data/kinetics400.gin --workdir=runs/sparse
  python bin/search.py --gin_file=gin/steps/dense_fusion.gin --gin_file=gin/data/kinetics400.gin \
      --previous=runs/sparse --workdir=runs/dense_fusion

Run the same command again to go on after an interruption.
"""

import functools

from tsnet_tf import cli, setting_mistakes

PREVIOUS = cli.DEFINE_path(
    "previous", None, "Run folder of the step before, whose architecture is inherited.", of_a_model=True
)


def check() -> None:
    cli.need(cli.WORKDIR, "DIR")
    if PREVIOUS.value:
        cli.need_run(PREVIOUS)
    cli.need_writable(cli.WORKDIR, unless="summary.json")


def main() -> None:
    from tsnet_tf.search import step

    step.show([step.search(workdir=cli.WORKDIR.value, previous=PREVIOUS.value)])


if __name__ == "__main__":
    cli.run(main, check=check, check_settings=functools.partial(setting_mistakes.check, calls=["search"]))
