"""Our models as HLO, with inputs and the numbers that have to come out: JAX alone checks and times them."""

from __future__ import annotations

import os
from collections.abc import Sequence

from tsnet_tf import console
from tsnet_tf.benchmark import hlo


def report(*, parts: Sequence[str], output: str, batch_size: int) -> None:
    """Writes the programs to the folder ``output``."""
    hlo.write(output, hlo.programs(parts, batch_size))
    console.say(f"python {os.path.join(output, 'run.py')} --output=results.json")
