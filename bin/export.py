"""Writes a trained model as a SavedModel with preprocessing, softmax and labels inside.

  python bin/export.py --workdir=runs/demo/train --output=runs/demo/saved_model
  python bin/export.py --workdir=runs/demo/train --output=runs/demo/saved_model --lite=float16 --lite=int8

Whoever serves it needs TensorFlow only: frames of any size, raw or as JPEG, go in; probabilities and labels come out.
Batch normalisation is folded into the convolutions. assets/metadata.json has the genotype, its cost, the accuracy that
bin/evaluate.py found, and the versions; assets.extra has model.keras and, with --lite, LiteRT (TensorFlow Lite) models,
whose accuracy on one centre view of the test videos is measured.
"""

from absl import flags

from tsnet_tf import cli

cli.silence_libraries()

# What a run's settings can name must be known before the flags that change them are read.
import tsnet_tf.search.step  # noqa: E402
import tsnet_tf.training.train  # noqa: E402, F401
from tsnet_tf.export import lite  # noqa: E402

OUTPUT = flags.DEFINE_string("output", None, "Folder to write.")
LITE = flags.DEFINE_multi_enum(
    "lite", [], lite.PRECISIONS, "Also a LiteRT model of this precision; repeatable; needs the data set."
)


def main() -> None:
    from tsnet_tf.data import video_dataset
    from tsnet_tf.errors import UserError
    from tsnet_tf.evaluation import evaluate, run_settings
    from tsnet_tf.export import package
    from tsnet_tf.training import run_folder

    workdir = cli.WORKDIR.value
    if not workdir:
        raise UserError("expected --workdir=DIR with a trained model, found none")
    if not OUTPUT.value:
        raise UserError("expected --output=DIR, found none")
    run_settings.restore(workdir, cli.GIN_FILE.value, cli.GIN_BINDINGS.value)
    dataset = video_dataset.VideoDataset()
    model, _, labels = run_folder.load_trained(workdir)
    accuracy = evaluate.recorded(workdir, labels)
    package.package(model, labels, dataset, OUTPUT.value, accuracy=accuracy, precisions=LITE.value)


if __name__ == "__main__":
    cli.run(main)
