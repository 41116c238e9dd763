"""Writes the report of a run: one self-contained page with what was found and how the search went.

  python bin/report.py --workdir=runs/demo
  python bin/report.py --workdir=runs/demo --compare_with=runs/demo_seed1 --compare_with=runs/demo_seed2

Writes <workdir>/report.html, and its pictures as PNG and SVG files to <workdir>/report/. The folder may be one run, or
a progressive search with one per step; a run need not have finished.
"""

from tsnet_tf import cli

COMPARE_WITH = cli.DEFINE_multi_path("compare_with", "Another folder for the same report; repeatable.")


def check() -> None:
    cli.need(cli.WORKDIR, "DIR")
    cli.need_writable(cli.WORKDIR)


def main() -> None:
    from tsnet_tf.report import report

    report.report(cli.WORKDIR.value, COMPARE_WITH.value)


if __name__ == "__main__":
    cli.run(main, check=check)
