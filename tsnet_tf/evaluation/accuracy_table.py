"""What an evaluation has found, on the console: the figures, and the classes that are recognised worst."""

from __future__ import annotations

from collections.abc import Sequence

from tsnet_tf import console
from tsnet_tf.console import counted
from tsnet_tf.evaluation import metrics

_CLASSES_SHOWN = 10


def show(result: dict) -> None:
    """Shows what `tsnet_tf.evaluation.evaluate.evaluation` returned."""
    accuracies = [_with_interval(result[name], result[f"{name}_interval"]) for name in ("top1", "top5")]
    others = [f"{100 * result[name]:.1f}" for name in ("mean_class_accuracy", "calibration_error")]
    console.table(
        f"{result['split']}: {counted(result['videos'], 'video')} x "
        f"{counted(result['views_per_video'], 'view')} of {result['crop']} pixels, "
        f"{result['seconds']:.0f} s; in brackets the {metrics.CONFIDENCE:.0%} interval over videos",
        ["views", "top-1 %", "top-5 %", "mean class %", "calibration error %", "GMACs/view", "GMACs/video"],
        [
            [
                result["views"],
                *accuracies,
                *others,
                f"{result['gmacs_per_view']:.3g}",
                f"{result['gmacs_per_video']:.3g}",
            ]
        ],
    )
    rows = [row for row in result["per_class"] if row["videos"] and row["accuracy"] < 1]
    if not rows:
        return
    shown = sorted(rows, key=lambda row: row["accuracy"])[:_CLASSES_SHOWN]
    console.table(
        f"{len(rows)} of {len(result['labels'])} classes are not always recognised"
        + (f"; the worst {len(shown)}" if len(shown) < len(rows) else ""),
        ["class", "videos", "recognised %", "precision %", "taken for"],
        [
            [
                row["label"],
                row["videos"],
                _with_interval(row["accuracy"], row["accuracy_interval"]),
                "-" if row["precision"] is None else f"{100 * row['precision']:.1f}",
                row["confused_with"],
            ]
            for row in shown
        ],
    )


def _with_interval(share: float, interval: Sequence[float]) -> str:
    low, high = interval
    return f"{100 * share:.1f} ({100 * low:.0f}\u2013{100 * high:.0f})"
