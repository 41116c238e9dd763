"""The clips that the public X3D models were trained and tested on, as settings of the data set.

Source: PySlowFast's configurations ``configs/Kinetics/X3D_*.yaml``.
"""

from __future__ import annotations

from tsnet_tf.space import genotype

# Frames of 1/30 second from one frame of a clip to the next; short sides in training, of which the smallest is that of
# tests too, pixels.
PUBLISHED = {
    "x3d_xs": (12, (182, 228)),
    "x3d_s": (6, (182, 228)),
    "x3d_m": (5, (256, 320)),
    "x3d_l": (5, (356, 446)),
}


def settings_of(name: str) -> str:
    """What a run folder's ``config.gin`` begins with, in gin's language.

    Args:
      name: of the genotype, one of `PUBLISHED`.
    """
    space, (stride, short_sides) = genotype.load(name), PUBLISHED[name]
    return f"""
data_dir = "data/kinetics400"
VideoDataset.directory = %data_dir
VideoDataset.dense_frames = {space.frames}
VideoDataset.sparse_frames = {space.frames}
VideoDataset.dense_stride = {stride}
VideoDataset.frame_rate = 30.0
VideoDataset.crop = {space.resolution}
VideoDataset.train_jitter = {short_sides}
VideoDataset.test_short_side = {short_sides[0]}
"""
