"""What searching costs, on the paper's space at full size; and what its records cost, on a small space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tsnet_tf import console
from tsnet_tf.benchmark import architectures as drawn
from tsnet_tf.benchmark import recording, results, search_step
from tsnet_tf.benchmark.machine import in_fresh_process
from tsnet_tf.search import spaces
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import Space, only, restrict

SEARCHED_FIRST = ("temporal_kernel", "spatial_kernel", "channels", "expansion")  # gin/steps/sparse.gin
SHARES = ("share", "processor_share", "inside")
LOGGING_STEPS, LOGGING_EVERY = 240, 10  # as in the first step of the demo, whose steps are the shortest there are


def report(*, parts: Sequence[str], batch_size: int, architectures: int, space: str, repeats: int, json: bool) -> None:
    """Measures the parts; ``architectures`` is for the overhead, ``space`` for the records."""
    whole = table1()
    found: dict = {"batch_size": batch_size}
    if "overhead" in parts or "joint" in parts:
        near = drawn.between(whole, 1, 1.95, 2.05)
    if "overhead" in parts:
        some = drawn.between(whole, architectures, 0.8, 3.0)
        found["overhead"] = search_step.overhead(whole, batch_size, some, repeats, mask=False)
        found["overhead_at_2_gmacs"] = search_step.overhead(whole, batch_size, near, repeats, mask=True)
    if "joint" in parts:
        found["joint"] = [search_step.joint_price(whole, batch_size, 8, near[0], repeats)]
    if "memory" in parts:
        found["memory"] = _memory(whole, batch_size)
    if "tracing" in parts:
        found["tracing"] = [in_fresh_process(search_step.joint_step, whole, batch_size, 2)]
    if "logging" in parts:
        free = [f"sparse/*/{kind}" for kind in SEARCHED_FIRST]
        sparse = restrict(only(spaces.named(space), ["sparse"]), free, {})
        found["logging"] = recording.overhead(sparse, batch_size, LOGGING_STEPS, LOGGING_EVERY, repeats)
    if not results.as_json(found, json):
        _show(found, whole.resolution)


def _memory(space: Space, batch_size: int) -> list[dict]:
    """Every process goes through 16 architectures, and the largest is what all of them have to hold."""
    largest = drawn.largest(space, 16).tolist()
    calls = {f"K = {k}": (search_step.joint_step, space, batch_size, k, largest, 16 // k) for k in (2, 16)}
    calls["plain training"] = (search_step.plain_training, space, batch_size, largest, 16)
    return [{"what": name, "GB": in_fresh_process(*call)["peak_gigabytes"]} for name, call in calls.items()]


def _show(found: Mapping, resolution: int) -> None:
    batch_size = found["batch_size"]
    titles = {
        "overhead": f"Forward and backward, batch {batch_size}, {resolution} pixels: seconds and ratios",
        "overhead_at_2_gmacs": "The same at 2 GMACs, masks too",
        "joint": f"A joint step at K = 8, batch {batch_size}: seconds a sample, and ratios",
        "memory": "Peak memory, the largest of 16 architectures that a search draws at its start",
        "tracing": "The joint step, from nothing: seconds",
    }
    for name, title in titles.items():
        if name in found:
            results.table(title, found[name])
    if "logging" in found:
        one = found["logging"]
        console.table(
            f"{LOGGING_STEPS} search steps, batch {batch_size}, a record every {LOGGING_EVERY}",
            ["without records, s", "with, s", "with / without", "in processor time", "timed inside"],
            [[f"{one['without']:.1f}", f"{one['with']:.1f}", *(f"{one[name]:+.1%}" for name in SHARES)]],
        )
