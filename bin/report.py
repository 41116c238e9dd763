#!/usr/bin/env python3
"""Writes the report of a run: one self-contained page with what was found and how the search went.

  python bin/report.py --workdir=runs/demo
  python bin/report.py --workdir=runs/demo --compare_with=runs/demo_seed1 --compare_with=runs/demo_seed2

Writes <workdir>/report.html, and its pictures as SVG files, with --png also as PNG files, to <workdir>/report/. The
folder may be one run, or a progressive search with one per step; a run need not have finished.
"""

from absl import flags

from tsnet_tf import cli

COMPARE_WITH = cli.DEFINE_multi_path("compare_with", "Another folder for the same report; repeatable.")


PNG = flags.DEFINE_bool("png", False, "Also PNG files of the pictures; the page does not need them.")


def check() -> None:
    cli.need(cli.WORKDIR, "DIR")
    cli.need_writable(cli.WORKDIR)


def main() -> None:
    from tsnet_tf.report import figures, report

    kinds = figures.EVERY_KIND if PNG.value else figures.SHOWN
    report.report(cli.WORKDIR.value, COMPARE_WITH.value, kinds)


if __name__ == "__main__":
    cli.run(main, check=check)
