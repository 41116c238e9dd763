#!/usr/bin/env python3
"""Runs one step of the architecture search and leaves the found architecture in the run folder.

  python bin/search.py --gin_file=gin/steps/sparse.gin --gin_file=gin/data/kinetics400.gin --workdir=runs/sparse
  python bin/search.py --gin_file=gin/steps/dense_fusion.gin --gin_file=gin/data/kinetics400.gin \
      --previous=runs/sparse --workdir=runs/dense_fusion

--dry_run says what would be done: the space and what it can reach, length, memory, time, what is read and written.
Run the same command again to go on after an interruption.
"""

import functools

from absl import flags

from tsnet_tf import cli, setting_mistakes, settings

PREVIOUS = cli.DEFINE_path(
    "previous", None, "Run folder of the step before, whose architecture is inherited.", of_a_model=True
)
DRY_RUN = flags.DEFINE_bool("dry_run", False, "Say what would be done, and do nothing.")


def check() -> None:
    cli.need(cli.WORKDIR, "DIR")
    if PREVIOUS.value:
        cli.need_run(PREVIOUS)
    cli.need_writable(cli.WORKDIR, unless="summary.json")


def main() -> None:
    from tsnet_tf.search import forecast, plan, step
    from tsnet_tf.training import run_folder

    if DRY_RUN.value:
        given = settings.read(cli.GIN_FILE.value, cli.GIN_BINDINGS.value)
        planned = plan.make([given], None, PREVIOUS.value and run_folder.genotype_of(PREVIOUS.value))
        plan.show(planned)
        forecast.show(plan.forecasts(planned, [cli.WORKDIR.value], PREVIOUS.value))
        return
    step.show([step.search(workdir=cli.WORKDIR.value, previous=PREVIOUS.value)])


if __name__ == "__main__":
    cli.run(main, check=check, check_settings=functools.partial(setting_mistakes.check, calls=["search"]))
