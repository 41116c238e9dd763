"""Writes a trained model as a SavedModel with preprocessing, softmax and labels inside.

  python bin/export.py --workdir=runs/demo/train --output=runs/demo/saved_model

Whoever serves it needs TensorFlow only: frames of any size go in, probabilities and labels come out.
"""

from absl import flags

from tsnet_tf import cli

cli.silence_libraries()

# What a run's settings can name must be known before the flags that change them are read.
import tsnet_tf.search.step  # noqa: E402
import tsnet_tf.training.train  # noqa: E402, F401

OUTPUT = flags.DEFINE_string("output", None, "Folder to write.")


def main() -> None:
    from tsnet_tf import console
    from tsnet_tf.data import video_dataset
    from tsnet_tf.errors import UserError
    from tsnet_tf.evaluation import run_settings
    from tsnet_tf.export import saved_model
    from tsnet_tf.training import run_folder

    workdir = cli.WORKDIR.value
    if not workdir:
        raise UserError("expected --workdir=DIR with a trained model, found none")
    if not OUTPUT.value:
        raise UserError("expected --output=DIR, found none")
    run_settings.restore(workdir, cli.GIN_FILE.value, cli.GIN_BINDINGS.value)
    dataset = video_dataset.VideoDataset()
    model, genotype, labels = run_folder.load_trained(workdir)
    saved_model.export(
        model,
        labels,
        OUTPUT.value,
        frames=genotype.frames,
        frame_stride=dataset.span // genotype.frames,
        short_side=dataset.test_short_side,
        crop=dataset.crop,
        sampling=dataset.frame_sampling,
    )
    console.say(
        f"SavedModel with {len(labels)} classes, {genotype.frames} frames of {dataset.crop} pixels: {OUTPUT.value}"
    )


if __name__ == "__main__":
    cli.run(main)
