"""The model for LiteRT (TensorFlow Lite): one clip in, probabilities out, in one of three precisions.

The input is ``clip``, uint8 ``[1, frames, crop, crop, 3]``, already resized and cropped; the output float32
``[1, classes]``. With "int8", weights and activations are whole numbers but for the input's and the output's ends;
ranges of the activations come from calibration clips.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import keras
import numpy as np
import tensorflow as tf

from tsnet_tf.kernels import plane


def convert(
    model: keras.Model, precision: str, *, frames: int, crop: int, calibration: Iterable[np.ndarray] = ()
) -> bytes:
    """Returns the contents of a ``.tflite`` file.

    Args:
      model: as for `tsnet_tf.export.saved_model.export`, best with batch normalisation folded.
      precision: one of `tsnet_tf.export.formats.PRECISIONS`.
      frames: frames of a clip.
      crop: side of its frames in pixels.
      calibration: for "int8", clips as the model will meet them, uint8 ``[frames, crop, crop, 3]`` each.
    """
    module = tf.Module()
    module.model_variables = [weight.value for weight in model.weights]

    # All shapes are known here, so that none has to be computed when it runs.
    @tf.function(input_signature=[tf.TensorSpec([1, frames, crop, crop, 3], tf.uint8, "clip")], autograph=False)
    def predict(clip):
        return {"probabilities": tf.nn.softmax(tf.cast(model(clip, training=False), tf.float32))}

    with plane.portable():
        traced = predict.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced], module)
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "int8":
        converter.representative_dataset = lambda: ([clip[None]] for clip in calibration)
    return converter.convert()


def interpreter(content: bytes) -> Callable[[np.ndarray], np.ndarray]:
    """A function of clips, uint8 ``[batch, frames, crop, crop, 3]``, to probabilities ``[batch, classes]``.

    Args:
      content: of a ``.tflite`` file that `convert` has made.
    """
    loaded = tf.lite.Interpreter(model_content=content)
    run = loaded.get_signature_runner()

    def predict(clips: np.ndarray) -> np.ndarray:
        return np.concatenate([run(clip=clip[None])["probabilities"] for clip in np.asarray(clips)])

    return predict
