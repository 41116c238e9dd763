#!/usr/bin/env python3
"""Writes a trained model as a SavedModel with preprocessing, softmax and labels inside.

  python bin/export.py --workdir=runs/demo/train --output=runs/demo/saved_model
  python bin/export.py --workdir=runs/demo/train --output=runs/demo/saved_model --lite=float16 --lite=int8

Whoever serves it needs TensorFlow only: frames of any size, raw or as JPEG, go in; probabilities and labels come out.
Batch normalisation is folded into the convolutions. assets/metadata.json has the genotype, its cost, the accuracy that
bin/evaluate.py found, and the versions; assets.extra has model.keras and, with --lite, LiteRT (TensorFlow Lite) models,
whose accuracy on one centre view of the videos of --split is measured.
"""

from absl import flags

from tsnet_tf import cli
from tsnet_tf.evaluation import run_settings
from tsnet_tf.export import formats
from tsnet_tf.settings import Settings

OUTPUT = cli.DEFINE_path("output", None, "Folder to write.", of_a_model=True)
LITE = flags.DEFINE_multi_enum(
    "lite", [], formats.PRECISIONS, "Also a LiteRT model of this precision; repeatable; needs the data set."
)
SPLIT = flags.DEFINE_string("split", "test", "With --lite: the split whose videos its accuracy is measured on.")


def check() -> None:
    cli.need(cli.WORKDIR, "DIR with a trained model")
    cli.need(OUTPUT, "DIR")
    cli.need_run(cli.WORKDIR)
    formats.check_output(OUTPUT.value)
    cli.need_writable(OUTPUT)


def check_settings(given: Settings) -> None:
    run_settings.check(cli.WORKDIR.value, given)


def main() -> None:
    from tsnet_tf.data import video_dataset
    from tsnet_tf.evaluation import evaluate
    from tsnet_tf.export import package
    from tsnet_tf.training import run_folder

    workdir = cli.WORKDIR.value
    run_settings.restore(workdir, cli.GIN_FILE.value, cli.GIN_BINDINGS.value)
    dataset = video_dataset.VideoDataset()
    model, _, labels = run_folder.load_trained(workdir)
    accuracy = evaluate.recorded(workdir, labels)
    package.package(
        model, labels, dataset, OUTPUT.value, accuracy=accuracy, precisions=LITE.value, test_split=SPLIT.value
    )


if __name__ == "__main__":
    cli.run(main, check=check, check_settings=check_settings, apply_settings=False)
