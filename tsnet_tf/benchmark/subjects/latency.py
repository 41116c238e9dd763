"""What every operation of a space takes on this device, for search.target_latency_ms; or what one genotype takes."""

from __future__ import annotations

from tsnet_tf import atomic, console
from tsnet_tf.benchmark import machine
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.search import latency, spaces
from tsnet_tf.space import genotype as genotypes


def report(*, genotype: str | None, space: str, output: str | None, batch_size: int) -> None:
    """Measures ``genotype``; without one, the operations of ``space``, whose table is written to ``output``."""
    if genotype:
        found = genotypes.load(genotype)
        milliseconds = latency.of_model(TwoStreamModel(found), batch_size)
        console.say(f"{found.name}: {milliseconds:.2f} ms per batch of {batch_size}")
        return
    table = {"machine": machine.description(), **latency.measure(spaces.named(space), batch_size)}
    atomic.write_json(output, table)
    console.table(
        f"Whole models of {table['space']}, batch {table['batch_size']}",
        [f"sum over operations x {table['scale']:.3f}, ms", "measured, ms"],
        [[f"{table['scale'] * row['summed']:.2f}", f"{row['measured']:.2f}"] for row in table["whole_models"]],
    )
    console.say(f"{len(table['pieces'])} operations: {output}")
