"""How long a call takes on a device that computes while the program goes on."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

WARM_UP, FEWEST, LONGEST = 3, 3, 4.0  # calls; measurements; seconds, after which no more than those are made


def timed(
    call: Callable[[], object], wait: Callable[[object], object], batch_size: int, repeats: int, group: int = 10
) -> dict[str, float]:
    """Median ``milliseconds`` of a call among ``group`` that follow each other, and of one that is waited for.

    Args:
      call: starts the work.
      wait: returns when what ``call`` returned is there.
      batch_size: clips that a call works on.
      repeats: measurements of each; 0 for none.
      group: calls of the former.

    Returns:
      ``milliseconds``, ``latency`` (milliseconds too) and ``clips_per_second``, that of many calls; nothing without
      repeats.
    """
    if not repeats:
        return {}
    for _ in range(WARM_UP):
        wait(call())
    together, alone = [], []
    begun = time.perf_counter()
    while len(alone) < repeats and (len(alone) < FEWEST or time.perf_counter() - begun < LONGEST):
        started = time.perf_counter()
        for _ in range(group):
            last = call()
        wait(last)
        together.append((time.perf_counter() - started) / group)
        started = time.perf_counter()
        wait(call())
        alone.append(time.perf_counter() - started)
    one = statistics.median(together)
    return {
        "milliseconds": one * 1e3,
        "latency": statistics.median(alone) * 1e3,
        "clips_per_second": batch_size / one,
    }
