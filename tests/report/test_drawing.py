"""The drawing shows every choice of the architecture."""

import dataclasses
import itertools
import re

import matplotlib
import pytest

from tsnet_tf.report.drawing import OPERATIONS, draw, figure_of
from tsnet_tf.report.figures import DARK, EVERY_KIND, LIGHT, STYLE
from tsnet_tf.report.page import CSS
from tsnet_tf.space import genotype
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
    png, svg, *_ = draw(HAND_MADE, str(tmp_path / "architecture"), kinds=EVERY_KIND)
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
    svg, _ = draw(HAND_MADE if on else only(HAND_MADE, ["sparse"]), str(tmp_path / "a"))
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


@pytest.mark.parametrize("name", [*genotype.archived(), "hand-made"])
def test_no_text_overlaps_or_is_cut(assert_readable, name):
    # Vector graphics: what holds at one size holds at every zoom.
    assert_readable(figure_of(HAND_MADE if name == "hand-made" else genotype.load(name), LIGHT))


def test_large_expansions_of_a_users_space_stay_between_the_lines(assert_readable):
    groups = [dataclasses.replace(g, expansion=(8.0 + 4 * i,)) for i, g in enumerate(HAND_MADE.sparse.groups)]
    streams = (dataclasses.replace(HAND_MADE.sparse, groups=tuple(groups)), HAND_MADE.dense)
    assert_readable(figure_of(dataclasses.replace(HAND_MADE, streams=streams), LIGHT))


def test_light_and_dark(tmp_path):
    files = draw(HAND_MADE, str(tmp_path / "a"))
    assert [path.removeprefix(str(tmp_path)) for path in files] == ["/a.svg", "/a_dark.svg"]
    every = draw(HAND_MADE, str(tmp_path / "b"), kinds=EVERY_KIND)
    assert [path.removeprefix(str(tmp_path)) for path in every] == ["/b.png", "/b.svg", "/b_dark.png", "/b_dark.svg"]
    for path, theme in zip(files, (LIGHT, DARK), strict=True):
        svg = open(path, encoding="utf-8").read()
        assert f"fill: {theme.paper}" in svg and theme.ink in svg


def luminance(colour):
    """WCAG 2.1, relative luminance."""
    channels = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in matplotlib.colors.to_rgb(colour)]
    return sum(weight * channel for weight, channel in zip((0.2126, 0.7152, 0.0722), channels, strict=True))


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_by_hand():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_contrast_is_wcag_aa(theme):
    for text in (theme.ink, theme.pale):
        assert min(contrast(text, theme.paper), contrast(text, theme.panel)) >= 4.5
    for line in (theme.first, theme.second):
        assert contrast(line, theme.paper) >= 4.5
    for line in STYLE["axes.prop_cycle"].by_key()["color"]:
        assert contrast(line, theme.paper) >= 3
    for arrow in OPERATIONS.values():
        assert contrast(arrow.colour, theme.panel) >= 3


def test_contrast_of_the_page_is_wcag_aa():
    themes = [dict(re.findall(r"--(\w+): (#\w+)", part)) for part in re.findall(r":root {([^}]+)}", CSS.read_text())]
    assert len(themes) == 2
    for theme in themes:
        for text, paper in itertools.product(("ink", "pale", "link", "warn"), ("paper", "panel")):
            assert contrast(theme[text], theme[paper]) >= 4.5, (text, paper)
