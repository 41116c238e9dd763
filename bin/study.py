#!/usr/bin/env python3
"""Trains what a search has found beside random, hand-made and single-stream models of the same cost, and compares them.

  python bin/study.py --gin_file=gin/study/graded.gin --workdir=runs/study
  python bin/study.py --rows=docs/study/motion.jsonl --workdir=runs/tables    # the tables again, nothing is trained

Run the same command again to go on after an interruption, or on another machine that sees the folder to share the work.
"""

from tsnet_tf import cli, setting_mistakes
from tsnet_tf.settings import Settings

ROWS = cli.DEFINE_path("rows", None, "Rows of a study that is done: shows their tables and plot, trains nothing.")


def check() -> None:
    cli.need(cli.WORKDIR, "DIR")
    cli.need_file(ROWS, "the rows of a study")
    cli.need_writable(cli.WORKDIR)


def check_settings(given: Settings) -> None:
    setting_mistakes.check(given, calls=[] if ROWS.value else ["study"])


def main() -> None:
    from tsnet_tf.study import rows, study, tables

    found = rows.read(ROWS.value) if ROWS.value else study.study(workdir=cli.WORKDIR.value)
    tables.show(found, cli.WORKDIR.value)


if __name__ == "__main__":
    cli.run(main, check=check, check_settings=check_settings)
