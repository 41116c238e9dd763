"""Shows the five most probable labels of a video file.

  python bin/predict.py --saved_model=runs/demo/saved_model --video=clip.mp4

Needs the SavedModel only, written by bin/export.py.
"""

from absl import flags

from tsnet_tf import cli
from tsnet_tf.errors import UserError

SAVED_MODEL = flags.DEFINE_string("saved_model", None, "Folder written by bin/export.py.")
VIDEO = flags.DEFINE_string("video", None, "Video file.")


def main() -> None:
    from tsnet_tf.export import predict

    if not SAVED_MODEL.value:
        raise UserError("expected --saved_model=DIR, found none")
    if not VIDEO.value:
        raise UserError("expected --video=FILE, found none")
    predict.predict(SAVED_MODEL.value, VIDEO.value)


if __name__ == "__main__":
    cli.run(main)
