"""What was measured, as JSON or as tables, beside what it was measured on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from tsnet_tf import console
from tsnet_tf.benchmark import machine


def as_json(results: Mapping, wanted: bool) -> bool:
    """Prints everything as JSON if that is wanted; else what it was measured on, for tables to follow."""
    described = machine.description()
    if wanted:
        print(json.dumps({"machine": described, **results}, indent=2))
    else:
        console.say(", ".join(f"{name} {value}" for name, value in described.items()))
    return wanted


def table(title: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Prints rows that have the same names."""
    console.table(title, list(rows[0]), [[_shown(value) for value in row.values()] for row in rows])


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    if isinstance(value, float):
        return f"{value:.3g}" if value < 1000 else f"{value:.0f}"
    return "" if value is None else str(value)
