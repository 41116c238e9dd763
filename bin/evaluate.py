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

cli.silence_libraries()

# What a run's settings can name must be known before the flags that change them are read.
import tsnet_tf.search.step  # noqa: E402
import tsnet_tf.training.train  # noqa: E402, F401
from tsnet_tf.evaluation import evaluate  # noqa: E402

VIEWS = flags.DEFINE_string("views", None, "CLIPS-center or CLIPS-left_center_right; default 10-center.")
SPLIT = flags.DEFINE_string("split", None, "Which of the data set's splits; default test.")
BATCH_SIZE = flags.DEFINE_integer("batch_size", None, "Views per replica and step; changes speed only.", lower_bound=1)


def main() -> None:
    from tsnet_tf.data import video_dataset
    from tsnet_tf.errors import UserError
    from tsnet_tf.evaluation import protocol, run_settings
    from tsnet_tf.training import run_folder, tensorboard
    from tsnet_tf.training.strategy import strategy as make_strategy

    workdir = cli.WORKDIR.value
    if not workdir:
        raise UserError("expected --workdir=DIR with a trained model, found none")
    given = {"views": VIEWS.value, "split": SPLIT.value, "batch_size": BATCH_SIZE.value}
    given = {name: value for name, value in given.items() if value is not None}
    if "views" in given:
        protocol.named(given["views"])  # a misspelt name is told at once, not after the model is built
    run_settings.restore(workdir, cli.GIN_FILE.value, cli.GIN_BINDINGS.value)
    dataset, strategy = video_dataset.VideoDataset(), make_strategy()
    with strategy.scope():
        model, _, labels = run_folder.load_trained(workdir)
    own_folder = run_folder.own(workdir, strategy)
    result = evaluate.evaluation(model, labels, dataset, strategy, own_folder, **given)
    tensorboard.write_evaluation(own_folder, result, run_folder.summary_of(workdir)["steps"])


if __name__ == "__main__":
    cli.run(main)
