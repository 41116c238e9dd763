#!/usr/bin/env python3
"""Trains what a search has found beside random, hand-made and single-stream models of the same cost, and compares them.

  python bin/study.py --gin_file=gin/study/graded.gin --workdir=runs/study

Run the same command again to go on after an interruption, or on another machine that sees the folder to share the work.
"""

import functools

from tsnet_tf import cli, setting_mistakes


def check() -> None:
    cli.need(cli.WORKDIR, "DIR")
    cli.need_writable(cli.WORKDIR)


def main() -> None:
    from tsnet_tf.study import study, tables

    tables.show(study.study(workdir=cli.WORKDIR.value), cli.WORKDIR.value)


if __name__ == "__main__":
    cli.run(main, check=check, check_settings=functools.partial(setting_mistakes.check, calls=["study"]))
