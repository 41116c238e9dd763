#!/usr/bin/env python3
"""Compares the predictions of two models on the same videos: is the second better than the first?

  python bin/compare.py --first=runs/a/predictions/test_10-center.npz --second=runs/b/predictions/test_10-center.npz

Shows how often both, one or neither are right, the difference in top-1 with its bootstrap interval, and McNemar's
test. bin/evaluate.py writes the files.
"""

import json

from absl import flags

from tsnet_tf import cli

FIRST = cli.DEFINE_path("first", None, ".npz file of bin/evaluate.py.")
SECOND = cli.DEFINE_path("second", None, ".npz file of another model, or of other views, on the same videos.")
JSON = flags.DEFINE_bool("json", False, "Print JSON instead of a table.")


def check() -> None:
    for flag in (FIRST, SECOND):
        cli.need(flag, "FILE.npz")
        cli.need_file(flag, "the .npz file of bin/evaluate.py")


def main() -> None:
    from tsnet_tf.evaluation import compare, predictions

    result = compare.compare(predictions.read(FIRST.value), predictions.read(SECOND.value))
    if JSON.value:
        print(json.dumps(result, indent=2))
    else:
        compare.show(result)


if __name__ == "__main__":
    cli.run(main, check=check)
