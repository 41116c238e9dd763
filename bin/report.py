"""Writes the report of a run: one self-contained page with what was found and how the search went.

  python bin/report.py --workdir=runs/demo
  python bin/report.py --workdir=runs/demo --compare_with=runs/demo_seed1 --compare_with=runs/demo_seed2

Writes <workdir>/report.html, and its pictures as PNG and SVG files to <workdir>/report/. The folder may be one run, or
a progressive search with one per step; a run need not have finished.
"""

from absl import flags

from tsnet_tf import cli

cli.silence_libraries()

# What it reads of a run's evaluation can be set in gin files, and must be known before the flags are read.
from tsnet_tf.errors import UserError  # noqa: E402
from tsnet_tf.report import report  # noqa: E402

COMPARE_WITH = flags.DEFINE_multi_string("compare_with", [], "Another folder for the same report; repeatable.")


def main() -> None:
    if not cli.WORKDIR.value:
        raise UserError("expected --workdir=DIR, found none")
    report.report(cli.WORKDIR.value, COMPARE_WITH.value)


if __name__ == "__main__":
    cli.run(main)
