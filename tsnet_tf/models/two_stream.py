"""The two-stream model (paper, Figure 2a and Table 1), as supernet and as fixed model."""

import itertools

import keras
import tensorflow as tf

from tsnet_tf.layers.batch_norm import BatchNorm
from tsnet_tf.layers.depthwise_conv3d import DepthwiseConv3D
from tsnet_tf.layers.elastic import Execution, Size
from tsnet_tf.layers.fusion import TSFusion
from tsnet_tf.layers.glore import GloRe
from tsnet_tf.layers.mbconv3d import MBConv3D
from tsnet_tf.layers.pointwise import Pointwise
from tsnet_tf.layers.squeeze_excite import pool_clip
from tsnet_tf.models.sizes import largest, sampled_parts
from tsnet_tf.space import genotype, ops
from tsnet_tf.space.blueprint import Part, blueprint
from tsnet_tf.space.two_stream import Space, is_genotype

# Pixel statistics of Kinetics (X3D, SlowFast): 0..255 pixels are brought to about zero mean and unit variance.
PIXEL_MEAN, PIXEL_DEVIATION = 0.45 * 255, 0.225 * 255


@keras.saving.register_keras_serializable("tsnet_tf")
class TwoStreamModel(keras.Model):
    """Classifies clips with one stream, or with two that fuse: every part of the blueprint is a layer.

    The weights have the largest sizes of ``space``. If the space has open choices, the model is a supernet: it is
    called with the sampled architecture and uses the statistics of the batch in BN.

    Args:
      space: a space or a genotype.
      execution: "slice" or "mask" (see `tsnet_tf.layers.elastic`).
      synchronized: whether replicas share BN statistics.
      branch_gamma: see `tsnet_tf.layers.mbconv3d.MBConv3D`.
      folded: whether batch normalisation has gone into the convolutions (`tsnet_tf.models.folding.fold`).

    Call arguments:
      clips: uint8 or float 0 to 255 ``[batch, frames, height, width, 3]``; frames are the dense stream's, and the
        sparse stream takes every (dense frames / sparse frames)-th of them.
      architecture: int32 ``[open choices]`` (see `tsnet_tf.models.sizes.sampled_parts`); None for a genotype.
      training: dropout and, in a fixed model, BN statistics of the batch.

    Output shape: logits, float32 ``[batch, classes]``.
    """

    def __init__(
        self,
        space: Space,
        execution: Execution = "slice",
        synchronized: bool = False,
        branch_gamma: float = 0.0,
        folded: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.space, self.execution, self.synchronized = space, execution, synchronized
        self.branch_gamma, self.folded = branch_gamma, folded
        if folded and not is_genotype(space):
            raise ValueError(f"expected a genotype to fold, found open choices in '{space.name}'")
        statistics = "folded" if folded else "moving" if is_genotype(space) else "batch"
        norm = {"statistics": statistics, "synchronized": synchronized, "execution": execution}
        *parts, classifier = blueprint(space)
        names = [stream.name for stream in space.streams]
        # Checkpoints know layers by these lists and weights by their order, and a seed gives weights in the order in
        # which layers are made: stems, then one stream after the other, then fusions.
        parts.sort(key=lambda part: (part.kind == "fusion", part.kind != "stem", names.index(part.stream)))
        made = [(part, _layer(part, norm, branch_gamma)) for part in parts]

        def layers(kind: str, *streams: str) -> list[keras.layers.Layer | None]:
            return [layer for part, layer in made if part.kind == kind and part.stream in streams]

        self.stems = layers("stem", *names)
        self.groups, self.fusions, self.attentions, self.heads = [], [], [], []
        for name in names:
            self.groups.append(layers("blocks", name))
            self.attentions.append(layers("attention", name))
            self.heads.extend(layers("head", name))
        self.fusions.extend(layers("fusion", *names))
        self.dropout = keras.layers.Dropout(space.dropout, name="dropout")
        [op] = classifier.ops
        self.classifier = keras.layers.Dense(op.classes, name="classifier", dtype="float32")
        self.classifier.build((None, op.hidden))
        self.build()

    def build(self, input_shape=None):
        """Every weight is made in the constructors, where the largest sizes are known."""
        self.built = True

    def get_config(self) -> dict:
        """What a `.keras` archive keeps; the space as its JSON text."""
        settings = {name: getattr(self, name) for name in ("execution", "synchronized", "branch_gamma", "folded")}
        return {"name": self.name, "space": genotype.dumps(self.space), **settings}

    @classmethod
    def from_config(cls, config: dict) -> "TwoStreamModel":
        return cls(**{**config, "space": genotype.loads(config["space"], "archive")})

    def call(self, clips: tf.Tensor, architecture: tf.Tensor | None = None, training: bool = False) -> tf.Tensor:
        layers = {
            "stem": iter(self.stems),
            "blocks": itertools.chain(*zip(*self.groups, strict=True)),
            "fusion": iter(self.fusions),
            "attention": itertools.chain(*zip(*self.attentions, strict=True)),
            "head": iter(self.heads),
        }
        *parts, _ = sampled_parts(self.space, architecture)
        x = {}
        for part in parts:
            layer, stream = next(layers[part.kind]), part.stream
            if layer is None:
                continue
            op = part.ops[0]
            if part.kind == "stem":
                x[stream] = layer(self._pixels(clips, op.frames), training=training)
            elif part.kind == "blocks":
                x[stream] = layer(x[stream], blocks=part.ops, training=training)
            elif part.kind == "fusion":
                widths = {"sparse_channels": op.sparse, "dense_channels": op.dense}
                selected = {candidate.kind: candidate.selected for candidate in part.ops}
                x[stream] = layer(x[stream], x["dense"], **widths, selected=selected, training=training)
            elif part.kind == "attention":
                sizes = {"channels": op.channels, "nodes": op.nodes}
                x[stream] = layer(x[stream], **sizes, on=op.selected, training=training)
            else:
                x[stream] = layer(x[stream], in_channels=op.channels, training=training)
        # A fully connected layer of the concatenated streams is the sum of one per stream.
        features = tf.nn.relu(tf.add_n(list(x.values())))
        return self.classifier(self.dropout(features, training=training))

    def _pixels(self, clips: tf.Tensor, frames: int) -> tf.Tensor:
        """Every so many-th frame of ``[batch, frames, h, w, 3]``, less the mean: ``[frames * batch, h, w, 3]``."""
        every = self.space.frames // frames
        # The first of so many as rows, not a stride or `tf.gather`: GPUs know it for bytes, and LiteRT five dimensions.
        height, width = tf.shape(clips)[2], tf.shape(clips)[3]
        rows = tf.reshape(clips, [-1, frames, every * height, width, 3])
        taken = clips if every == 1 else rows[:, :, :height]
        # Turned before they are numbers: bytes are a quarter of them.
        frames_first = tf.transpose(taken, [1, 0, 2, 3, 4])
        flat = tf.reshape(frames_first, tf.concat([[-1], tf.shape(clips)[2:]], 0))
        pixels = tf.cast(flat, tf.float32) - PIXEL_MEAN
        return tf.cast(tf.ensure_shape(pixels, [None, *clips.shape[2:]]), self.compute_dtype)


class Stem(keras.layers.Layer):
    """1x3x3 convolution of normalised pixels with stride 2, depthwise t x 1x1 convolution, BN, ReLU."""

    def __init__(self, op: ops.Stem, norm: dict, **kwargs):
        super().__init__(**kwargs)
        channels = op.channels
        self.kernel = self.add_weight(name="kernel", shape=(3, 3, 3, channels), initializer="he_normal")
        folded = norm["statistics"] == "folded"
        self.temporal = DepthwiseConv3D(
            op.frames, channels, op.temporal_kernel, 1, use_bias=folded, name=f"{self.name}_temporal"
        )
        self.norm = BatchNorm(channels, name=f"{self.name}_norm", **norm)
        self.built = True

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        # Pixels come without their mean; there are fewer weights than pixels to divide.
        kernel = tf.convert_to_tensor(self.kernel) / PIXEL_DEVIATION
        y = tf.nn.conv2d(x, kernel, 2, [[0, 0], [1, 1], [1, 1], [0, 0]])
        temporal, channels = self.temporal, self.norm.channels
        y = temporal(y, channels=channels, temporal_kernel=temporal.temporal_kernel, spatial_kernel=1)
        return tf.nn.relu(self.norm(y, channels=channels, training=training))


class _Group(keras.layers.Layer):
    """The MBConv3D blocks of a group."""

    def __init__(self, blocks: tuple[ops.Block, ...], settings: dict, **kwargs):
        super().__init__(**kwargs)
        self.blocks = []
        for number, op in enumerate(blocks, start=1):
            self.blocks.append(
                MBConv3D(
                    op.frames,
                    stride=op.stride,
                    may_change_width=op.in_channels != op.channels,
                    name=f"{self.name}_b{number}",
                    **op.resolved(largest).sizes,
                    **settings,
                )
            )
        self.built = True

    def call(self, x: tf.Tensor, blocks: tuple[ops.Block, ...], training: bool = False) -> tf.Tensor:
        for layer, op in zip(self.blocks, blocks, strict=True):
            x = layer(x, **op.sizes, training=training)
        return x


class Head(keras.layers.Layer):
    """1x1x1 convolution, BN, ReLU, mean over the clip, fully connected without bias: ``[batch, hidden]``."""

    def __init__(self, op: ops.Head, norm: dict, **kwargs):
        super().__init__(**kwargs)
        self.frames, self.hidden = op.frames, op.hidden
        folded = norm["statistics"] == "folded"
        self.conv = Pointwise(op.channels, op.width, use_bias=folded, name=f"{self.name}_conv", **norm)
        self.norm = BatchNorm(op.width, name=f"{self.name}_norm", **norm)
        self.dense = Pointwise(op.width, op.hidden, name=f"{self.name}_hidden", **norm)
        self.built = True

    def call(self, x: tf.Tensor, in_channels: Size, training: bool = False) -> tf.Tensor:
        width = self.norm.channels
        y = self.conv(x, in_channels=in_channels, channels=width)
        y = tf.nn.relu(self.norm(y, channels=width, training=training))
        return self.dense(pool_clip(y, self.frames), in_channels=width, channels=self.hidden)


def _layer(part: Part, norm: dict, branch_gamma: float) -> keras.layers.Layer | None:
    """The layer that computes ``part``, with weights of the largest sizes; None where there is nothing to compute."""
    if not part.ops:
        return None
    op, position = part.ops[0].resolved(largest), part.position.replace("/", "_")
    name, of_stream = f"{part.stream}_{position}", {"stream": part.stream, **norm}
    if part.kind == "stem":
        return Stem(op, norm, name=name)
    if part.kind == "blocks":
        return _Group(part.ops, {"branch_gamma": branch_gamma, **of_stream}, name=name)
    if part.kind == "fusion":
        candidates, frames = tuple(candidate.kind for candidate in part.ops), op.ratio * op.frames
        return TSFusion(frames, op.ratio, op.dense, op.sparse, candidates, name=f"fusion_{position}", **norm)
    if part.kind == "attention":
        return GloRe(op.frames, op.channels, op.nodes, name=f"{name}_glore", **of_stream)
    return Head(op, norm, name=name)
