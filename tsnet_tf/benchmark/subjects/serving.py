"""What an exported model takes to answer, with batch normalisation folded and not."""

from __future__ import annotations

from tsnet_tf.benchmark import results, serving_latency
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.space import genotype as genotypes
from tsnet_tf.training import run_folder

BATCH_SIZES = (1, 8)


def report(*, workdir: str | None, genotype: str, batch_size: int | None, repeats: int, json: bool) -> None:
    """Measures the trained model of a run folder; without one, a genotype's with random weights."""
    model = run_folder.load_trained(workdir)[0] if workdir else TwoStreamModel(genotypes.load(genotype))
    rows = serving_latency.measure(model, [batch_size] if batch_size else BATCH_SIZES, repeats)
    if results.as_json({"model": model.space.name, "serving": rows}, json):
        return
    results.table(
        f"{model.space.name}: {model.space.frames} frames of {model.space.resolution} pixels, milliseconds a request",
        rows,
    )
