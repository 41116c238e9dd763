#!/usr/bin/env python3
"""Searches step by step, trains what was found from scratch and evaluates it; each part is a fresh process.

  python bin/progressive.py --gin_file=gin/demo.gin --workdir=runs/demo
  python bin/progressive.py --gin_file=mine.gin --workdir=runs/mine --dry_run

Every gin file and binding reaches every part, after the part's own gin file. --dry_run says what would be done: the
steps, what each can reach, its budget and length. Run the same command again to go on after an interruption; finished
parts are not repeated.
"""

import os

from absl import flags

from tsnet_tf import cli, console
from tsnet_tf.search import parts
from tsnet_tf.settings import Settings

DRY_RUN = flags.DEFINE_bool("dry_run", False, "Say what would be done, and do nothing.")


def check() -> None:
    cli.need(cli.WORKDIR, "DIR")
    cli.need_writable(cli.WORKDIR, unless="summary.json")


def check_settings(given: Settings) -> None:
    parts.check(given, cli.GIN_FILE.value, cli.GIN_BINDINGS.value)


def main() -> None:
    from tsnet_tf.search import progressive

    binaries = os.path.dirname(os.path.abspath(__file__))
    summary = progressive.progressive(
        workdir=cli.WORKDIR.value,
        files=cli.GIN_FILE.value,
        bindings=cli.GIN_BINDINGS.value,
        binaries=binaries,
        dry_run=DRY_RUN.value,
    )
    if summary is None:
        return
    final = summary["final"]
    console.say(
        f"Final model: {final['gmacs']:.4g} GMACs per view, {final['params_m']:.3g} M parameters, "
        f"top-1 {100 * final['top1']:.1f} %, top-5 {100 * final['top5']:.1f} % ({final['views']})"
    )
    for name in ("hand_made", "random"):
        if f"{name}_top1" in final:
            console.say(f"{name.replace('_', '-')} at the same cost: top-1 {100 * final[f'{name}_top1']:.1f} %")
    console.say(f"Run folder: {cli.WORKDIR.value}   Curves: tensorboard --logdir {cli.WORKDIR.value}")


if __name__ == "__main__":
    cli.run(main, check=check, check_settings=check_settings)
