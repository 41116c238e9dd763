"""Which tasks of Meta-World are filmed, and which of their films make another class when they run backwards.

Meta-World (Yu et al., "Meta-World: A Benchmark and Evaluation for Multi-Task and Meta Reinforcement Learning") has 50
tasks of a simulated robot arm, each with a scripted expert. Many come in opposite pairs on the same objects, which a
single frame cannot tell apart.
"""

from __future__ import annotations

from collections.abc import Sequence

from tsnet_tf.errors import UserError

BACKWARDS = "-backwards"

PAIRS = (
    ("assembly", "disassemble"),
    ("coffee-pull", "coffee-push"),
    ("door-close", "door-open"),
    ("door-lock", "door-unlock"),
    ("drawer-close", "drawer-open"),
    ("faucet-close", "faucet-open"),
    ("handle-press", "handle-pull"),
    ("handle-press-side", "handle-pull-side"),
    ("peg-insert-side", "peg-unplug-side"),
    ("plate-slide", "plate-slide-back"),
    ("plate-slide-side", "plate-slide-back-side"),
    ("push", "push-back"),
    ("window-close", "window-open"),
)
PAIRED = tuple(sorted(task for pair in PAIRS for task in pair))
SINGLE = (
    "basketball",
    "bin-picking",
    "box-close",
    "button-press",
    "button-press-topdown",
    "button-press-topdown-wall",
    "button-press-wall",
    "coffee-button",
    "dial-turn",
    "hammer",
    "hand-insert",
    "lever-pull",
    "pick-out-of-hole",
    "pick-place",
    "pick-place-wall",
    "push-wall",
    "reach",
    "reach-wall",
    "shelf-place",
    "soccer",
    "stick-pull",
    "stick-push",
    "sweep",
    "sweep-into",
)
TASKS = tuple(sorted(PAIRED + SINGLE))

# What springs back by itself, or is not touched, looks the same from the end to the beginning.
SAME_BACKWARDS = frozenset(
    task for task in TASKS if task.startswith(("button-", "coffee-button", "handle-", "hand-", "lever-", "reach"))
)
# One of each pair, whose opposite are its own films backwards; both where these would look the same.
OPPOSITES = tuple(sorted(task for pair in PAIRS for task in (pair if pair[0] in SAME_BACKWARDS else pair[:1])))
NAMED = {"all": TASKS, "pairs": PAIRED, "opposites": OPPOSITES}


def classes_of(task: str) -> tuple[str, ...]:
    """Labels of a task's films: its name and, where backwards it shows something else, that."""
    return (task,) if task in SAME_BACKWARDS else (task, task + BACKWARDS)


def chosen(names: Sequence[str]) -> tuple[str, ...]:
    """Returns the tasks that ``names`` mean, sorted: "opposites", "pairs", "all" or tasks.

    Raises:
      UserError: a name is none of these, or there is none.
    """
    unknown = [name for name in names if name not in TASKS and name not in NAMED]
    if unknown or not names:
        raise UserError(
            "--tasks: expected opposites, pairs, all, or tasks of Meta-World such as door-open, found "
            f"'{(unknown or [''])[0]}'"
        )
    return tuple(sorted({task for name in names for task in NAMED.get(name, (name,))}))
