"""The picture of a timeline shows every label, and pictures do not overwrite each other."""

import re

from tsnet_tf.report.timeline import draw, names


def rows(*parts):
    timeline = [{"start": s, "end": e, "label": label, "probability": 0.5} for s, e, label in parts]
    return {"video": "folder/film.mp4", "seconds": timeline[-1]["end"], "timeline": timeline}


def labels_in(path):
    return re.findall(r">([^<>]+)</text>", open(path, encoding="utf-8").read())


def test_labels_stand_in_the_order_of_how_long_they_hold(tmp_path):
    png, svg = draw(rows((0, 2, "walk"), (2, 7, "run"), (7, 8, "walk")), str(tmp_path / "film"))
    assert open(png, "rb").read(4) == b"\x89PNG"
    shown = labels_in(svg)
    assert "film.mp4" in shown and "seconds" in shown and "probability" in shown
    assert [text for text in shown if text in ("walk", "run")] == ["run", "walk"]


def test_many_labels_are_put_together(tmp_path):
    _, svg = draw(rows(*((i, i + 1, f"label {i}") for i in range(30))), str(tmp_path / "film"))
    shown = [text for text in labels_in(svg) if "label" in text]
    assert len(shown) == 20 and shown[-1] == "other labels"


def test_videos_of_one_name_get_pictures_of_their_own():
    assert names(["a/x.mp4", "b/x.mp4", "c/y.avi", "d/x.webm"]) == {
        "a/x.mp4": "x",
        "b/x.mp4": "x_2",
        "c/y.avi": "y",
        "d/x.webm": "x_3",
    }
