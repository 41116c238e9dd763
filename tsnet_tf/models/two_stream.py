"""The two-stream model (paper, Figure 2a and Table 1), as supernet and as fixed model."""

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
from tsnet_tf.models.sizes import GroupSizes, largest_sizes, sampled_sizes
from tsnet_tf.space import genotype
from tsnet_tf.space.two_stream import Group, Space, Stream, group_positions, is_genotype

# Pixel statistics of Kinetics (X3D, SlowFast): 0..255 pixels are brought to about zero mean and unit variance.
PIXEL_MEAN, PIXEL_DEVIATION = 0.45 * 255, 0.225 * 255


@keras.saving.register_keras_serializable("tsnet_tf")
class TwoStreamModel(keras.Model):
    """Classifies clips with one stream, or with two that fuse.

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
      architecture: int32 ``[open choices]`` (see `tsnet_tf.models.sizes.sampled_sizes`); None for a genotype.
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
        largest = largest_sizes(space)
        self.stems = [Stem(stream, norm, name=f"{stream.name}_stem") for stream in space.streams]
        self.groups, self.fusions, self.attentions, self.heads = [], [], [], []
        for stream in space.streams:
            groups, attentions = [], []
            before, index_in_stage, stage = (stream.stem_channels,), 0, 0
            sizes = largest[stream.name]
            for position, group, size in zip(group_positions(stream), stream.groups, sizes, strict=True):
                name = f"{stream.name}_{position.replace('/', '_')}"
                index_in_stage = 0 if group.stage != stage else index_in_stage
                of_stream = {"stream": stream.name, **norm}
                block = {"branch_gamma": branch_gamma, **of_stream}
                groups.append(_Group(stream, group, size, before, index_in_stage, block, name=name))
                attentions.append(
                    GloRe(stream.frames, size.channels, size.nodes, name=f"{name}_glore", **of_stream)
                    if size.attention
                    else None
                )
                before, stage = group.channels, group.stage
                index_in_stage += group.depth
            self.groups.append(groups)
            self.attentions.append(attentions)
            self.heads.append(Head(stream, sizes[-1].channels, space.hidden, norm, name=f"{stream.name}_head"))
        if space.dense is not None:
            positions = group_positions(space.sparse)
            for position, sparse, dense in zip(positions, largest["sparse"], largest["dense"], strict=True):
                name = f"fusion_{position.replace('/', '_')}"
                self.fusions.append(
                    TSFusion(
                        space.dense.frames,
                        space.dense.frames // space.sparse.frames,
                        dense.channels,
                        sparse.channels,
                        tuple(sparse.fusion),
                        name=name,
                        **norm,
                    )
                    if sparse.fusion
                    else None
                )
        self.dropout = keras.layers.Dropout(space.dropout, name="dropout")
        self.classifier = keras.layers.Dense(space.classes, name="classifier", dtype="float32")
        self.classifier.build((None, space.hidden))
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
        sizes = sampled_sizes(self.space, architecture)
        x = [
            stem(self._pixels(clips, stream.frames), training=training)
            for stem, stream in zip(self.stems, self.space.streams, strict=True)
        ]
        before = [stream.stem_channels for stream in self.space.streams]
        for i in range(len(self.groups[0])):
            for s, stream in enumerate(self.space.streams):
                size = sizes[stream.name][i]
                x[s] = self.groups[s][i](x[s], in_channels=before[s], sizes=size, training=training)
                before[s] = size.channels
            if self.fusions and self.fusions[i] is not None:
                x[0] = self.fusions[i](
                    x[0],
                    x[1],
                    sparse_channels=before[0],
                    dense_channels=before[1],
                    chosen=sizes["sparse"][i].fusion,
                    training=training,
                )
            for s, stream in enumerate(self.space.streams):
                size = sizes[stream.name][i]
                if self.attentions[s][i] is not None:
                    x[s] = self.attentions[s][i](
                        x[s], channels=size.channels, nodes=size.nodes, on=size.attention, training=training
                    )
        hidden = [head(x[s], in_channels=before[s], training=training) for s, head in enumerate(self.heads)]
        # A fully connected layer of the concatenated streams is the sum of one per stream.
        features = tf.nn.relu(tf.add_n(hidden))
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

    def __init__(self, stream: Stream, norm: dict, **kwargs):
        super().__init__(**kwargs)
        channels = stream.stem_channels
        self.kernel = self.add_weight(name="kernel", shape=(3, 3, 3, channels), initializer="he_normal")
        folded = norm["statistics"] == "folded"
        self.temporal = DepthwiseConv3D(
            stream.frames, channels, stream.stem_temporal_kernel, 1, use_bias=folded, name=f"{self.name}_temporal"
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
    """The MBConv3D blocks of a group; squeeze-excite is in every other block of a stage, the first included (X3D)."""

    def __init__(
        self,
        stream: Stream,
        group: Group,
        largest: GroupSizes,
        before: tuple[int, ...],
        index_in_stage: int,
        settings: dict,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.blocks = []
        for block in range(group.depth):
            first = block == 0
            self.blocks.append(
                MBConv3D(
                    frames=stream.frames,
                    in_channels=int(max(before)) if first else largest.channels,
                    channels=largest.channels,
                    inner=largest.inner,
                    squeezed=largest.squeezed if (index_in_stage + block) % 2 == 0 else 0,
                    temporal_kernel=largest.temporal_kernel,
                    spatial_kernel=largest.spatial_kernel,
                    stride=group.stride if first else 1,
                    may_change_width=first and len({*before, *group.channels}) > 1,
                    name=f"{self.name}_b{block + 1}",
                    **settings,
                )
            )
        self.built = True

    def call(self, x: tf.Tensor, in_channels: Size, sizes: GroupSizes, training: bool = False) -> tf.Tensor:
        for block in self.blocks:
            x = block(
                x,
                in_channels=in_channels,
                channels=sizes.channels,
                inner=sizes.inner,
                squeezed=sizes.squeezed,
                temporal_kernel=sizes.temporal_kernel,
                spatial_kernel=sizes.spatial_kernel,
                training=training,
            )
            in_channels = sizes.channels
        return x


class Head(keras.layers.Layer):
    """1x1x1 convolution, BN, ReLU, mean over the clip, fully connected without bias: ``[batch, hidden]``."""

    def __init__(self, stream: Stream, channels: int, hidden: int, norm: dict, **kwargs):
        super().__init__(**kwargs)
        self.frames, self.hidden = stream.frames, hidden
        folded = norm["statistics"] == "folded"
        self.conv = Pointwise(channels, stream.head_channels, use_bias=folded, name=f"{self.name}_conv", **norm)
        self.norm = BatchNorm(stream.head_channels, name=f"{self.name}_norm", **norm)
        self.dense = Pointwise(stream.head_channels, hidden, name=f"{self.name}_hidden", **norm)
        self.built = True

    def call(self, x: tf.Tensor, in_channels: Size, training: bool = False) -> tf.Tensor:
        width = self.norm.channels
        y = self.conv(x, in_channels=in_channels, channels=width)
        y = tf.nn.relu(self.norm(y, channels=width, training=training))
        return self.dense(pool_clip(y, self.frames), in_channels=width, channels=self.hidden)
