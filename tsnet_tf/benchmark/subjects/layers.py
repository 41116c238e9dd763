"""The depthwise convolution: forward and both gradients, against the sum over taps by automatic gradients."""

from __future__ import annotations

from tsnet_tf.benchmark import depthwise, pytorch, results

MEANINGS = {"forward": "forward", "both": "forward and both gradients"}


def report(*, against: str | None, repeats: int, json: bool) -> None:
    """Measures at four shapes."""
    rows = depthwise.measure(repeats, pytorch.wanted(against))
    if results.as_json({"depthwise": rows}, json):
        return
    for kind, meaning in MEANINGS.items():
        columns = [name for name in rows[0] if name.startswith(f"{kind} ")]
        results.table(
            f"Depthwise convolution, batch x frames x side² x channels, t, k: {meaning}, milliseconds and ratios",
            [{"shape": row["shape"], **{name.removeprefix(f"{kind} "): row[name] for name in columns}} for row in rows],
        )
