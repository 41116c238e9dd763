#!/usr/bin/env python3
"""Evaluates a trained model on all views of a split's videos: accuracy, calibration, every class, every video.

  python bin/evaluate.py --workdir=runs/demo/train
  python bin/evaluate.py --workdir=runs/k400 --views=10-left_center_right --split=validation
  python bin/evaluate.py --workdir=runs/k400 --gin_bindings="evaluation.precise_bn_batches = 200"

Shows tables, and writes evaluation.json and predictions/SPLIT_VIEWS.csv and .npz (a row for every video) to the run
folder; bin/compare.py compares two of these, and TensorBoard shows the confusion matrix. Any number of clips will do:
3-center, 1-left_center_right. The data set, the strategy and its devices are the run's own, unless --gin_file or
--gin_bindings say otherwise.
"""

from absl import flags

from tsnet_tf import cli
from tsnet_tf.evaluation import protocol, run_settings
from tsnet_tf.settings import Settings

VIEWS = flags.DEFINE_string("views", None, "CLIPS-center or CLIPS-left_center_right; default 10-center.")
SPLIT = flags.DEFINE_string("split", None, "Which of the data set's splits; default test.")
BATCH_SIZE = flags.DEFINE_integer("batch_size", None, "Views per replica and step; changes speed only.", lower_bound=1)


def check() -> None:
    cli.need(cli.WORKDIR, "DIR with a trained model")
    if VIEWS.value:
        protocol.named(VIEWS.value)
    cli.need_run(cli.WORKDIR)
    cli.need_writable(cli.WORKDIR)


def check_settings(given: Settings) -> None:
    run_settings.check(cli.WORKDIR.value, given)


def main() -> None:
    from tsnet_tf.data import video_dataset
    from tsnet_tf.evaluation import evaluate
    from tsnet_tf.training import run_folder, tensorboard
    from tsnet_tf.training.strategy import strategy as make_strategy

    workdir = cli.WORKDIR.value
    given = {"views": VIEWS.value, "split": SPLIT.value, "batch_size": BATCH_SIZE.value}
    given = {name: value for name, value in given.items() if value is not None}
    run_settings.restore(workdir, cli.GIN_FILE.value, cli.GIN_BINDINGS.value)
    dataset, strategy = video_dataset.VideoDataset(), make_strategy()
    with strategy.scope():
        model, _, labels = run_folder.load_trained(workdir)
    own_folder = run_folder.own(workdir, strategy)
    result = evaluate.evaluation(model, labels, dataset, strategy, own_folder, **given)
    tensorboard.write_evaluation(own_folder, result, run_folder.summary_of(workdir)["steps"])


if __name__ == "__main__":
    cli.run(main, check=check, check_settings=check_settings, apply_settings=False)
