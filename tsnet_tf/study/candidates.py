"""Who takes part in a study: what a search has found, and what it has to beat at the same cost."""

import dataclasses
import os

from tsnet_tf.search.budget import BudgetedDistribution
from tsnet_tf.search.selection import random_within
from tsnet_tf.space.genotype import load
from tsnet_tf.space.hand_made import SINGLE_STREAMS, hand_made, single_stream
from tsnet_tf.space.two_stream import Space, pick, values_at
from tsnet_tf.training import run_folder

TOLERANCE = 0.03  # how far below the budget an architecture is still of equal cost


@dataclasses.dataclass(frozen=True)
class Candidate:
    """An architecture that is trained.

    Attributes:
      name: unique in the study, for files.
      origin: "found", "random", "hand", "single" or "evolution".
      genotype: the architecture.
      search_seed: of the search that found it, else None.
    """

    name: str
    origin: str
    genotype: Space
    search_seed: int | None = None


def random_architectures(space: Space, gmacs: float, count: int, seed: int) -> list[Candidate]:
    """``count`` different architectures, drawn uniformly from those that cost ``gmacs`` or up to 3 % less."""
    drawn = random_within(BudgetedDistribution(space, gmacs, (1 - TOLERANCE) * gmacs), count, seed)
    return [
        Candidate(
            f"random_{index:02d}",
            "random",
            dataclasses.replace(pick(space, values_at(space, indices)), name=f"{space.name}_random_{index:02d}"),
        )
        for index, indices in enumerate(drawn)
    ]


def hand(space: Space, gmacs: float) -> list[Candidate]:
    """The hand-made architecture at that cost."""
    return [Candidate("hand", "hand", hand_made(space, gmacs))]


def singles(space: Space, gmacs: float) -> list[Candidate]:
    """Uniform models of one stream at that cost."""
    return [Candidate(f"single_{kind}", "single", single_stream(space, kind, gmacs)) for kind in SINGLE_STREAMS]


def found(folder: str) -> Candidate:
    """What the search in a run folder has found, by alpha or by plain evolution."""
    summary = run_folder.finished(folder)
    origin, seed = "evolution" if summary.get("evolution") else "found", summary["seed"]
    return Candidate(f"{origin}_{seed}", origin, load(os.path.join(folder, "genotype.json")), seed)
