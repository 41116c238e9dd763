"""Evaluates a trained model on all views of a split's videos: top-1, top-5 and mean class accuracy.

  python bin/evaluate.py --workdir=runs/demo/train
  python bin/evaluate.py --workdir=runs/k400 --views=10-left_center_right --split=validation

Shows a table and writes evaluation.json to the run folder. The data set is the run's own, unless --gin_file or
--gin_bindings say otherwise.
"""

from absl import flags

from tsnet_tf import cli

cli.silence_libraries()

# What a run's settings can name must be known before the flags that change them are read.
import tsnet_tf.search.step  # noqa: E402
import tsnet_tf.training.train  # noqa: E402, F401

VIEWS = flags.DEFINE_string("views", "10-center", "10-center or 10-left_center_right.")
SPLIT = flags.DEFINE_string("split", "test", "Which of the data set's splits.")
BATCH_SIZE = flags.DEFINE_integer("batch_size", 10, "Views per batch; changes speed only.", lower_bound=1)


def main() -> None:
    from tsnet_tf.data import video_dataset
    from tsnet_tf.errors import UserError
    from tsnet_tf.evaluation import evaluate, protocol, run_settings
    from tsnet_tf.training import run_folder

    workdir = cli.WORKDIR.value
    if not workdir:
        raise UserError("expected --workdir=DIR with a trained model, found none")
    protocol.named(VIEWS.value)  # a misspelt name is told at once, not after the model is built
    run_settings.restore(workdir, cli.GIN_FILE.value, cli.GIN_BINDINGS.value)
    dataset = video_dataset.VideoDataset()
    model, _, _ = run_folder.load_trained(workdir)
    result = evaluate.evaluate(model, dataset, SPLIT.value, VIEWS.value, BATCH_SIZE.value)
    evaluate.record(result, workdir)


if __name__ == "__main__":
    cli.run(main)
