"""A study: architectures x seeds under one recipe, a row for each training (see `tsnet_tf.study.rows`)."""

import collections
import gc
import json
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import gin
import keras
import numpy as np

from tsnet_tf import atomic, console, paths
from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.evaluation import evaluate, predictions, protocol
from tsnet_tf.space.cost import complexity
from tsnet_tf.space.genotype import dumps
from tsnet_tf.space.two_stream import Space
from tsnet_tf.study import candidates, rows
from tsnet_tf.study.candidates import Candidate
from tsnet_tf.training import recorder, run_folder
from tsnet_tf.training.strategy import strategy as make_strategy
from tsnet_tf.training.train import train

TEST = "test"  # the split on which everything is compared


@gin.configurable
def study(
    *,
    workdir: str,
    data: str = gin.REQUIRED,
    space: Space = gin.REQUIRED,
    target_gmacs: float = gin.REQUIRED,
    dataset: VideoDataset = gin.REQUIRED,
    random: int = 16,
    random_seed: int = 0,
    single_streams: bool = True,
    searches: Sequence[str] = (),
    seeds: Sequence[int] = (0, 1),
    views: str = "10-center",
) -> list[dict]:
    """Trains every candidate with every seed, from random weights, and evaluates it on the test split.

    Run the same command again to go on after a kill. Several processes, also on several hosts, may share ``workdir``:
    each takes what nobody else has taken.

    Args:
      workdir: folder of the study.
      data: name of the data, for the rows.
      space: the space in which everything is drawn.
      target_gmacs: what every candidate may cost; none costs more than 3 % less.
      dataset: the videos.
      random: number of random architectures.
      random_seed: of their choice.
      single_streams: whether models of one stream take part.
      searches: run folders of searches; the seed of each is in its summary.
      seeds: of the trainings.
      views: protocol of the test.

    Returns:
      The rows that are there.

    Raises:
      UserError: before anything is trained: there are no test videos, no such views, or no such search.
    """
    views, searches = protocol.named(views).name, [paths.expanded(folder) for folder in searches]
    dataset.check_splits({"study.dataset": (TEST,)})
    taking_part = [
        *(candidates.found(folder) for folder in searches),
        *candidates.hand(space, target_gmacs),
        *(candidates.singles(space, target_gmacs) if single_streams else ()),
        *candidates.random_architectures(space, target_gmacs, random, random_seed),
    ]
    every = [(candidate, seed) for seed in seeds for candidate in taking_part]
    for candidate in taking_part:
        atomic.write_text(_genotype_file(workdir, candidate), dumps(candidate.genotype))
    with console.progress(f"study: {data}", len(every)) as bar:
        for candidate, seed in every:
            name = f"{candidate.name}-{seed}"
            with rows.claimed(workdir, name) as ours:
                if ours and not rows.is_there(workdir, name):
                    rows.write(workdir, name, {"data": data, **_row(workdir, candidate, seed, dataset, views)})
            bar.advance()
    return rows.collect(workdir, _supernet_scores(searches))


def _supernet_scores(searches: Sequence[str]) -> dict[str, float]:
    """Mean log-likelihood with the searches' shared weights, of the random architectures that they have scored."""
    scores = collections.defaultdict(list)
    for folder in searches:
        if run_folder.finished(folder).get("evolution"):
            continue  # other weights: alpha never stood in the way of any architecture
        path = os.path.join(folder, "scores.json")
        for row in run_folder.read_json(path) if os.path.isfile(path) else ():
            scores[rows.key(row["genotype"])].append(-row["log_loss"])
    return {genotype: float(np.mean(found)) for genotype, found in scores.items()}


def _row(workdir: str, candidate: Candidate, seed: int, dataset: VideoDataset, views: str) -> dict:
    """Trains and evaluates one candidate."""
    keras.backend.clear_session()
    gc.collect()
    started, worked = time.monotonic(), time.process_time()
    folder = os.path.join(workdir, "trainings", f"{candidate.name}-{seed}")
    train(workdir=folder, genotype=_genotype_file(workdir, candidate), seed=seed)
    model, genotype, labels = run_folder.load_trained(folder)
    evaluate.evaluation(model, labels, dataset, make_strategy(), folder, split=TEST, views=views)
    predicted = predictions.read(os.path.join(folder, predictions.FOLDER, f"{TEST}_{views}.npz"))
    losses = -np.log(np.maximum(predicted.probabilities[np.arange(len(predicted.labels)), predicted.labels], 1e-7))
    cost = complexity(genotype)
    return {
        "origin": candidate.origin,
        "name": candidate.name,
        "search_seed": candidate.search_seed,
        "seed": seed,
        "gmacs": cost.gmacs,
        "params_m": cost.params_m,
        "top1": float(predicted.right.mean()),
        "log_loss": float(losses.mean()),
        "mean_class_accuracy": evaluate.recorded(folder, labels)["mean_class_accuracy"],
        "curve": _curve(folder),
        "seconds": round(time.monotonic() - started, 1),
        "processor_seconds": round(time.process_time() - worked, 1),
        "commit": _commit(),
        "views": views,
        "genotype": json.loads(dumps(genotype)),
        "right": "".join(str(int(right)) for right in predicted.right),
        "losses": [round(float(loss), 4) for loss in losses],
    }


def _curve(folder: str) -> list[tuple[int, float]]:
    """Step and training loss of every report."""
    with open(os.path.join(folder, recorder.RECORDS), encoding="utf-8") as file:
        reports = map(json.loads, file)
        return [(report["step"], round(report["loss"], 4)) for report in reports if "loss" in report]


def _genotype_file(workdir: str, candidate: Candidate) -> str:
    return os.path.join(workdir, "genotypes", f"{candidate.name}.json")


def _commit() -> str | None:
    """The commit of the source, if it is a checkout."""
    root = Path(__file__).parents[2]
    result = subprocess.run(["git", "-C", root, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return result.stdout.strip() or None
