"""The drawing shows every choice of the architecture."""

import re

import pytest

from tsnet_tf.report.drawing import draw
from tsnet_tf.space.cost import complexity, smallest
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import Group, Space, Stream, choices, only, pick


def group(stage, depth, stride, channels, temporal, spatial, expansion, fusion="none", attention=False):
    return Group(stage, depth, stride, (temporal,), (spatial,), (channels,), (expansion,), (fusion,), (attention,))


HAND_MADE = Space(
    name="hand-made",
    resolution=64,
    streams=(
        Stream("sparse", 4, 24, 3, 100, (
            group(1, 1, 2, 32, 1, 5, 6.0, "time_to_channel"),
            group(2, 3, 2, 64, 3, 3, 1.5, "time_strided_conv", True),
        )),
        Stream("dense", 32, 8, 3, 50, (group(1, 1, 2, 8, 3, 3, 2.25), group(2, 3, 2, 16, 5, 5, 3.0))),
    ),
)  # fmt: skip


def texts(path):
    return re.findall(r">([^<>]+)</text>", open(path, encoding="utf-8").read())


def test_shows_channels_depths_and_costs(tmp_path):
    png, svg = draw(HAND_MADE, str(tmp_path / "architecture"))
    assert open(png, "rb").read(4) == b"\x89PNG"
    shown = texts(svg)
    for text in (
        "hand-made",
        "32",
        "64",
        "8",
        "16",
        "\u00d71",
        "\u00d73",
        "stage 1",
        "stage 2",
        "32 frames",
        "4 frames",
    ):
        assert text in shown, text
    cost = complexity(HAND_MADE)
    assert any(f"{cost.gmacs:.3g} GMACs per view at 64 x 64 pixels" in text for text in shown)
    assert f"{cost.rows['sparse', 's2'].macs / 1e9:.2g} GMACs" in shown


@pytest.mark.parametrize("on, kind", [(True, "time-strided convolution"), (False, "time to channel")])
def test_single_stream_has_no_fusion_legend(tmp_path, on, kind):
    _, svg = draw(HAND_MADE if on else only(HAND_MADE, ["sparse"]), str(tmp_path / "a"))
    assert (kind in texts(svg)) == on


def test_equal_architectures_give_equal_files(tmp_path):
    first, second = draw(HAND_MADE, str(tmp_path / "a")), draw(HAND_MADE, str(tmp_path / "b"))
    for one, other in zip(first, second, strict=False):
        assert open(one, "rb").read() == open(other, "rb").read()


def test_the_papers_space_is_drawn(tmp_path):
    space = table1()
    every = pick(smallest(space), {})
    assert not choices(every)
    draw(every, str(tmp_path / "smallest"))


def test_open_choices_cannot_be_drawn(tmp_path):
    with pytest.raises(ValueError, match="expected a genotype to draw, found open choices in 'table1'"):
        draw(table1(), str(tmp_path / "a"))
