"""Compares the predictions of two models on the same videos: is the second better than the first?

  python bin/compare.py --first=runs/a/predictions/test_10-center.npz --second=runs/b/predictions/test_10-center.npz

Shows how often both, one or neither are right, the difference in top-1 with its bootstrap interval, and McNemar's
test. bin/evaluate.py writes the files.
"""

import json

from absl import flags

from tsnet_tf import cli
from tsnet_tf.errors import UserError

FIRST = flags.DEFINE_string("first", None, ".npz file of bin/evaluate.py.")
SECOND = flags.DEFINE_string("second", None, ".npz file of another model, or of other views, on the same videos.")
JSON = flags.DEFINE_bool("json", False, "Print JSON instead of a table.")


def main() -> None:
    from tsnet_tf.evaluation import compare, predictions

    for flag in (FIRST, SECOND):
        if not flag.value:
            raise UserError(f"expected --{flag.name}=FILE.npz, found none")
    result = compare.compare(predictions.read(FIRST.value), predictions.read(SECOND.value))
    if JSON.value:
        print(json.dumps(result, indent=2))
    else:
        compare.show(result)


if __name__ == "__main__":
    cli.run(main)
