"""From the rows of a study to what they say: means, paired differences with intervals, rank correlations."""

import itertools
import os
from collections.abc import Mapping, Sequence

import numpy as np

from tsnet_tf import atomic, console
from tsnet_tf.study import plot
from tsnet_tf.study.statistics import Difference, holm, kendall_tau, paired_difference

ORIGINS = ("found", "evolution", "hand", "single", "random")  # in the order of the tables
MANY = ("found", "evolution", "random")  # origins of several architectures, of which the mean is shown
MEASURES = {"losses": ("log-loss", 1.0), "right": ("top-1 points", 100.0)}
REPORT = "study.md"

Row = Mapping[str, object]
Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]


def show(found: Sequence[Row], workdir: str) -> None:
    """Prints the tables, and leaves them in ``study.md`` and the plot in ``study.png`` and ``.svg``."""
    tables = [table for table in (summary(found), differences(found), correlations(found)) if table[2]]
    for table in tables:
        console.table(*table)
    atomic.write_text(os.path.join(workdir, REPORT), "\n".join(map(markdown, tables)))
    plot.draw(found, os.path.join(workdir, "study"))


def by_unit(found: Sequence[Row], origin: str) -> dict[str, list[Row]]:
    """The rows of an origin by architecture (or search), each with its trainings in the order of their seeds."""
    units: dict[str, list[Row]] = {}
    for row in sorted((r for r in found if r["origin"] == origin), key=lambda r: (r["name"], r["seed"])):
        units.setdefault(row["name"], []).append(row)
    return units


def summary(found: Sequence[Row]) -> Table:
    """A line for each origin, single streams and the hand-made one by name; accuracies are means over trainings."""
    lines = []
    for origin in ORIGINS:
        units = by_unit(found, origin)
        groups = {origin: units} if origin in MANY else {name: {name: unit} for name, unit in units.items()}
        for name, group in groups.items():
            if not group:
                continue
            trained = [row for unit in group.values() for row in unit]
            means = np.array([np.mean([row["top1"] for row in unit]) for unit in group.values()])
            spread = [np.std([row["top1"] for row in unit], ddof=1) for unit in group.values() if len(unit) > 1]
            lines.append(
                [
                    name,
                    str(len(group)),
                    str(len(trained)),
                    _span([row["gmacs"] for row in trained], ".4f"),
                    _span([row["params_m"] for row in trained], ".3g"),
                    f"{100 * means.mean():.1f}",
                    _span(list(100 * means), ".1f"),
                    f"{100 * np.sqrt(np.mean(np.square(spread))):.1f}" if spread else "-",
                    f"{np.mean([row['log_loss'] for row in trained]):.3f}",
                    f"{sum(row['processor_seconds'] for row in trained):.0f}",
                ]
            )
    columns = ["", "architectures", "trainings", "GMACs", "params M", "top-1 %", "of architectures"]
    columns += ["SD over seeds", "log-loss", "processor s"]
    return "Trained from scratch", columns, lines


def differences(found: Sequence[Row]) -> Table:
    """What was found against everything else, and the hand-made one against chance.

    Below 0 in log-loss and above 0 in top-1, the first is better.
    """
    ours, hand, random = (by_unit(found, origin) for origin in ("found", "hand", "random"))
    compared = [("found less random, mean", ours, random), ("found less hand-made", ours, hand)]
    compared += [(f"found less {name}", ours, {name: unit}) for name, unit in by_unit(found, "single").items()]
    compared += [("found less evolution", ours, by_unit(found, "evolution")), ("hand-made less random", hand, random)]
    results: list[tuple[str, str, float, Difference]] = []
    for (title, first, second), (measure, (label, scale)) in itertools.product(compared, MEASURES.items()):
        seeds = common_seeds([*first.values(), *second.values()]) if first and second else []
        if seeds:
            difference = paired_difference(values(first, seeds, measure), values(second, seeds, measure))
            results.append((title, label, scale, difference))
    corrected = holm([difference.p_value for *_, difference in results])
    lines = [
        [
            title,
            label,
            f"{scale * d.mean:+.3f}",
            f"{scale * d.low:+.3f} to {scale * d.high:+.3f}",
            f"{d.p_value:.2g}",
            f"{p:.2g}",
        ]
        for (title, label, scale, d), p in zip(results, corrected, strict=True)
    ]
    below = percentile(ours, random)
    if below is not None:
        lines.append(["found among the random ones", "top-1, part below", f"{below:.2f}", "", "", ""])
    columns = ["difference", "measure", "mean", "95 % interval", "p", "p, Holm"]
    return "Paired differences over the seeds that both sides have (bootstrap: units, seeds, videos)", columns, lines


def percentile(ours: Mapping[str, Sequence[Row]], random: Mapping[str, Sequence[Row]]) -> float | None:
    """The part of the random architectures whose mean top-1, over the seeds that all have, is below that of ``ours``.

    None if there is nothing to compare.
    """
    seeds = common_seeds([*ours.values(), *random.values()]) if ours and random else []
    if not seeds:
        return None
    others = values(random, seeds, "right").mean((1, 2))
    return float(np.mean(others < values(ours, seeds, "right").mean()))


def correlations(found: Sequence[Row]) -> Table:
    """Kendall's tau of what could predict the stand-alone log-loss of the random architectures."""
    units = by_unit(found, "random")
    if len(units) < 3:
        return "", [], []
    losses = [-np.mean([row["log_loss"] for row in unit]) for unit in units.values()]
    first = [unit[0] for unit in units.values()]
    lines = []
    if all(row["supernet_score"] is not None for row in first):
        lines.append(["supernet's score", *_tau([row["supernet_score"] for row in first], losses)])
    if all(len(unit) > 1 for unit in units.values()):
        seeds = [[-unit[k]["log_loss"] for unit in units.values()] for k in (0, 1)]
        lines.append(["one training seed for another (the ceiling)", *_tau(*seeds)])
    if all("curve" in row for row in first):
        half_way = [-np.interp(row["curve"][-1][0] / 2, *zip(*row["curve"], strict=True)) for row in first]
        lines.append(["training loss half way", *_tau(half_way, losses)])
    lines.append(["GMACs", *_tau([row["gmacs"] for row in first], losses)])
    lines.append(["parameters", *_tau([row["params_m"] for row in first], losses)])
    title = f"Rank correlation with the stand-alone log-loss of {len(units)} random architectures"
    return title, ["predictor", "Kendall's tau", "p"], lines


def common_seeds(units: Sequence[Sequence[Row]]) -> list[int]:
    """The seeds with which all of the units have been trained, in order."""
    return sorted(set.intersection(*({row["seed"] for row in unit} for unit in units)))


def values(units: Mapping[str, Sequence[Row]], seeds: Sequence[int], measure: str) -> np.ndarray:
    """ "losses" or "right" of every unit, seed and video, ``[units, seeds, videos]``."""
    trained = [{row["seed"]: row[measure] for row in unit} for unit in units.values()]
    return np.array([[[float(value) for value in unit[seed]] for seed in seeds] for unit in trained])


def markdown(table: Table) -> str:
    """A table in Markdown, with its title above."""
    title, columns, lines = table
    head = [f"**{title}**", "", f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    return "\n".join([*head, *(f"| {' | '.join(line)} |" for line in lines)]) + "\n"


def _span(numbers: Sequence[float], form: str) -> str:
    low, high = f"{min(numbers):{form}}", f"{max(numbers):{form}}"
    return low if low == high else f"{low} to {high}"


def _tau(first: Sequence[float], second: Sequence[float]) -> list[str]:
    tau, p_value = kendall_tau(first, second)
    return [f"{tau:.2f}", f"{p_value:.2g}"]
