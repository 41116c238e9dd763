"""Reading clips, against bare JPEG decoding and the Model Garden's pipeline; preparing videos, against bare PyAV."""

from __future__ import annotations

import tempfile

from tsnet_tf.benchmark import data_pipeline, results

TITLES = {"reading": "clips of the dense stream", "preparation": "videos of 80 frames, one thread,"}


def report(*, repeats: int, json: bool) -> None:
    """Measures on records and videos that are made for it."""
    with tempfile.TemporaryDirectory() as folder:
        found = {
            "reading": {
                "demo, 40 x 32": data_pipeline.reading(
                    f"{folder}/demo",
                    "gin/data/demo.gin",
                    (32, 40),
                    videos=64,
                    batch_size=32,
                    batches=24,
                    repeats=repeats,
                ),
                "340 x 256": data_pipeline.reading(
                    f"{folder}/big",
                    "gin/data/kinetics400.gin",
                    (256, 340),
                    videos=8,
                    batch_size=4,
                    batches=10,
                    repeats=repeats,
                ),
            },
            "preparation": {"320 x 240": data_pipeline.preparation(f"{folder}/videos", 4, repeats)},
        }
    if results.as_json(found, json):
        return
    for name, unit in TITLES.items():
        results.table(
            f"{name}: {unit} per second, and ratios", [{"frames": size, **row} for size, row in found[name].items()]
        )
