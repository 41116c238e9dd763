"""Draws the pictures of a run: the architectures, and how the search went.

  python bin/report.py --workdir=runs/demo

Writes PNG and SVG files to <workdir>/report/. The folder may be one run, or a progressive search with one per step.
"""

from tsnet_tf import cli
from tsnet_tf.errors import UserError


def main() -> None:
    from tsnet_tf.report import report

    if not cli.WORKDIR.value:
        raise UserError("expected --workdir=DIR, found none")
    report.report(cli.WORKDIR.value)


if __name__ == "__main__":
    cli.run(main)
