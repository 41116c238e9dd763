"""X3D-S and the two-stream model of the same multiply-adds: inference, training, blocks, and how both grow."""

from __future__ import annotations

import os
from collections.abc import Sequence

from tsnet_tf import atomic, console
from tsnet_tf.benchmark import growth, machine, model_speed, pytorch, results, roofline
from tsnet_tf.space import genotype

TITLES = {
    "inference": "Inference, batch normalisation folded: clips per second, and ratios",
    "training": "Training, SGD: clips per second, and ratios",
    "blocks": f"Blocks of {model_speed.YARDSTICK}, folded: milliseconds, against the limits of this machine",
    "growth": "Steps: seconds, memory, and the power of what is varied that they grow with",
}


def report(
    *, parts: Sequence[str], check: str | None, batch_size: int | None, against: str | None, repeats: int, json: bool
) -> None:
    """Measures the parts; or, for ``check``, the ratios beside those that this file has."""
    if check:
        _check(check, repeats, json)
        return
    measures = {
        "inference": lambda: model_speed.inference(
            [batch_size] if batch_size else [1, 4, 8], repeats, pytorch.wanted(against)
        ),
        "training": lambda: model_speed.training(batch_size or 4, repeats, pytorch.wanted(against)),
        "blocks": lambda: roofline.blocks(genotype.load(model_speed.YARDSTICK), batch_size or 4, repeats),
        "growth": growth.measure,
    }
    found = {part: measures[part]() for part in parts}
    if results.as_json(found, json):
        return
    for part, rows in found.items():
        results.table(TITLES[part], rows)


def _check(path: str, repeats: int, json: bool) -> None:
    """Compares with the file's ratios; writes it if there is none."""
    found = model_speed.ratios(repeats)
    if not os.path.exists(path):
        atomic.write_json(path, {"machine": machine.description(), "ratios": found})
    rows = model_speed.check(path, found)
    if not results.as_json({"check": rows}, json):
        results.table(f"Against {path}", rows)
        fell = [row["ratio"] for row in rows if row["says"] == "fell"]
        console.say("; ".join(f"{ratio} fell" for ratio in fell) or "Nothing fell.")
