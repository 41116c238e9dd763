#!/usr/bin/env python3
"""Makes a finished run folder out of a public checkpoint: X3D-XS, -S, -M and -L of PyTorchVideo and of PySlowFast.

  python bin/import_weights.py --checkpoint=X3D_S.pyth --genotype=x3d_s --labels=kinetics_classnames.json \
      --workdir=runs/x3d_s

Evaluate, export and predict with it as with a model that was trained here; PyTorch is not needed. The checkpoint is
read as data: what is in it besides tensors and plain containers is refused by its name, and nothing of it is run.
docs/pretrained.md says where the checkpoints are and how good they are.
"""

from absl import flags

from tsnet_tf import cli, setting_mistakes, settings
from tsnet_tf.pretrained import clips
from tsnet_tf.settings import Settings

CHECKPOINT = cli.DEFINE_path("checkpoint", None, "File of torch.save with an X3D's weights.")
GENOTYPE = flags.DEFINE_enum("genotype", None, list(clips.PUBLISHED), "Which X3D it is.")
LABELS = cli.DEFINE_path(
    "labels", None, "Names of the classes: one per line, a JSON list, or an object of name to index. Default: numbers."
)


def check() -> None:
    cli.need(CHECKPOINT, "FILE")
    cli.need(GENOTYPE, "NAME")
    cli.need(cli.WORKDIR, "DIR")
    cli.need_file(CHECKPOINT, "a checkpoint")
    cli.need_file(LABELS, "names of classes")
    cli.need_writable(cli.WORKDIR, unless="summary.json")


def published() -> Settings:
    return settings.read([], under=clips.settings_of(GENOTYPE.value))


def check_settings(given: Settings) -> None:
    setting_mistakes.check(given, beside=[published()])


def main() -> None:
    from tsnet_tf.pretrained.import_weights import import_weights

    settings.apply(settings.read(cli.GIN_FILE.value, cli.GIN_BINDINGS.value), under=published())
    import_weights(checkpoint=CHECKPOINT.value, genotype=GENOTYPE.value, workdir=cli.WORKDIR.value, labels=LABELS.value)


if __name__ == "__main__":
    cli.run(main, check=check, check_settings=check_settings, apply_settings=False)
