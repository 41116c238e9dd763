"""Our models as programs that run without TensorFlow: HLO, what they are given, and what they have to give.

A folder is written that JAX alone runs, on whatever device it has. Weights and clips are made from seeds there, so that
the folder is small; what TensorFlow's own kernels gave for them here, a few hundred numbers of every output, is kept.
"""

from __future__ import annotations

import dataclasses
import gzip
import importlib.resources
import pathlib
import shutil
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

import tsnet_tf
from tsnet_tf import atomic, console
from tsnet_tf.benchmark import architectures, steps
from tsnet_tf.benchmark.hlo_package import inputs
from tsnet_tf.kernels import private
from tsnet_tf.kernels.depthwise_xla import Lowering, lowered_as
from tsnet_tf.layers.elastic import Execution
from tsnet_tf.models.folding import fold, kernel_of, pairs
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.space import genotype
from tsnet_tf.space.cost import complexity
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import Space, is_genotype
from tsnet_tf.training.precision import precision

MODELS = ("x3d_s", "manual_tsnet_70")
SPACE = "table1"
POLICIES = ("float32", "mixed_bfloat16")
# The first is what XLA is given by default; the others are for a device to choose from.
LOWERINGS: dict[str, tuple[Lowering, ...]] = {
    "inference": ("fusion", "taps", "grouped"),
    "training": ("fusion", "mixed", "taps"),
    "joint": ("taps",),
}
JOINT_BATCH_SIZE, JOINT_SAMPLES = 2, 2
STEPS_BEFORE = 50  # of the optimizer's schedule, which begins with a learning rate of zero


@dataclasses.dataclass(frozen=True)
class Program:
    """What is written: a space's inference (folded), training step or joint step, for so many clips."""

    model: str
    kind: str
    batch_size: int = 8
    policy: str = "float32"
    lowering: Lowering = "fusion"

    @property
    def numbers(self) -> str:
        """The name of what is compared: the same for all policies and lowerings."""
        return f"{self.model}_{self.kind}"

    @property
    def name(self) -> str:
        return f"{self.numbers}_{self.policy}_{self.lowering}"


def programs(kinds: Sequence[str], batch_size: int) -> list[Program]:
    """What is written of these kinds ("inference", "training", "joint"), what matters most first.

    Args:
      kinds: of programs.
      batch_size: clips at once; of joint steps, whose masks have the largest sizes of all, 2 at most.
    """
    made = []
    for kind in kinds:
        for place, lowering in enumerate(LOWERINGS[kind]):
            for model in MODELS if kind != "joint" else (SPACE,):
                clips = min(batch_size, JOINT_BATCH_SIZE) if kind == "joint" else batch_size
                policies = POLICIES if place == 0 and kind != "joint" else POLICIES[:1]
                made += [(place, Program(model, kind, clips, policy, lowering)) for policy in policies]
    return [program for _, program in sorted(made, key=lambda one: one[0])]


def write(folder: str | pathlib.Path, programs: Sequence[Program], named: Callable[[str], Space] | None = None) -> None:
    """Writes the folder; what is written already can be run if this is ended before it is done.

    Args:
      folder: is made, or taken as it is.
      programs: in the order in which they are to be run.
      named: a space by the name that programs have for it; None for those of this project.
    """
    spaces = {name: (named or space_named)(name) for name in dict.fromkeys(program.model for program in programs)}
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    kept = importlib.resources.files("tsnet_tf.benchmark.hlo_package")
    for file in kept.iterdir():
        if file.name.endswith(".py") and file.name != "__init__.py":
            shutil.copyfile(str(file), folder / file.name)
    models = {name: _described(space) for name, space in spaces.items()}
    made_by = {"tsnet_tf": tsnet_tf.__version__, "tensorflow": tf.__version__, "keras": keras.__version__}
    entries, largest = [], {}
    for program in programs:
        described = spaces[program.model], models[program.model]
        if program.numbers not in largest:
            # Sampled architectures by slices, which the masks of a program for XLA have to agree with.
            expected = _Made(
                dataclasses.replace(program, policy="float32"), *described, "slice", compiled=False
            ).expected()
        made = _Made(program, *described, "slice" if is_genotype(described[0]) else "mask")
        if program.numbers not in largest:
            stored = {f"parameter {i}": value for i, value in made.stored.items()}
            stored |= {f"output {i}": inputs.taken(value) for i, value in enumerate(expected)}
            np.savez_compressed(folder / f"{program.numbers}.npz", **stored)
            largest[program.numbers] = [float(np.abs(value).max(initial=0)) for value in expected]
        hlo = f"{program.name}.hlo.gz"
        (folder / hlo).write_bytes(gzip.compress(made.hlo(), mtime=0))
        outputs = zip(made.output_names, largest[program.numbers], strict=True)
        entries.append(
            {
                **dataclasses.asdict(program),
                "name": program.name,
                "hlo": hlo,
                "stored": f"{program.numbers}.npz",
                "parameters": made.parameters,
                "outputs": [{"name": name, "largest": value} for name, value in outputs],
            }
        )
        atomic.write_json(str(folder / "manifest.json"), {"made_by": made_by, "models": models, "programs": entries})
        console.say(f"{program.name}: {(folder / hlo).stat().st_size / 1e6:.1f} MB")


class _Made:
    """A program's function, its variables set to what they are to be, and how it is called elsewhere."""

    def __init__(self, program: Program, space: Space, described: dict, execution: Execution, compiled: bool = True):
        self.program = program
        weights = inputs.weights(described["weights"])
        with precision(program.policy):
            model = TwoStreamModel(space, execution=execution)
            for variable in model.weights:
                if variable.path in weights:
                    variable.assign(weights[variable.path])
            self._source = "weights"
            shape = (program.batch_size, space.frames, space.resolution, space.resolution, 3)
            clips, labels = inputs.clips(shape), inputs.labels(program.batch_size, space.classes)
            if program.kind == "inference":
                model, self._source, self._arguments = fold(model), "folded", [clips]
                self._function, self.output_names, state = _inference(model), ["logits"], []
            elif program.kind == "training":
                self._arguments = [clips, labels]
                self._function, state = _training(model)
                self.output_names = ["loss", *(variable.path for variable in state)]
            else:
                self._arguments = [clips, labels]
                self._function, state = _joint(model)
                self.output_names = ["loss", *(variable.path for variable in state)]
        self._model = model
        self._concrete = self._traced(jit_compile=True) if compiled else None
        self.parameters, self.stored = self._described() if compiled else ([], {})

    def hlo(self) -> bytes:
        specs = [tf.TensorSpec.from_tensor(tf.constant(value)) for value in self._arguments]
        return private.serialized_hlo(self._concrete, specs)

    def expected(self) -> list[np.ndarray]:
        """What TensorFlow's own kernels give. The variables are others afterwards."""
        return [np.asarray(value) for value in self._traced(jit_compile=False)(*map(tf.constant, self._arguments))]

    def _traced(self, jit_compile: bool) -> Callable:
        with lowered_as(self.program.lowering):
            function = tf.function(self._function, autograph=False, jit_compile=jit_compile)
            return function.get_concrete_function(*map(tf.constant, self._arguments))

    def _described(self) -> tuple[list[dict], dict[int, np.ndarray]]:
        """Where every parameter of the program comes from, and the values that are stored."""
        weights = {id(variable.value.handle): variable.path for variable in self._model.weights}
        described, stored = [], {}
        for name, value in zip(("clips", "labels"), self._arguments, strict=False):
            described.append({"from": name, "shape": list(value.shape), "dtype": str(value.dtype)})
        variables = {id(variable.handle): variable for variable in self._concrete.variables}
        for handle in self._concrete.captured_inputs:
            variable = variables[id(handle)]
            value = variable.numpy()
            entry = {"shape": list(value.shape), "dtype": str(value.dtype)}
            if id(handle) in weights:
                entry |= {"from": self._source, "name": weights[id(handle)]}
            elif not value.any():
                entry["from"] = "zeros"
            else:
                entry["from"] = "stored"
                stored[len(described)] = value
            described.append(entry)
        return described, stored


def _inference(model: TwoStreamModel) -> Callable:
    return lambda clips: [model(clips, training=False)]


def _training(model: TwoStreamModel) -> tuple[Callable, list[keras.Variable]]:
    step, optimizer = steps.training_step_and_optimizer(model)
    optimizer.iterations.assign(STEPS_BEFORE)
    state = [*model.trainable_variables, *optimizer.momentums]
    return lambda clips, labels: [step.python_function(clips, labels), *_read(state)], state


def _joint(model: TwoStreamModel) -> tuple[Callable, list[keras.Variable]]:
    """A joint step of one architecture of about 2 GMACs: what is drawn does not depend on the random numbers."""
    architecture = architectures.between(model.space, 1, 1.95, 2.05)[0]
    search = steps.search_model_of(model, JOINT_SAMPLES, architecture)
    search.optimizer.iterations.assign(STEPS_BEFORE)
    state = [search.alpha, search.multiplier, *model.trainable_variables, *search.optimizer.momentums]

    def step(clips, labels):
        return [search.train_step(((clips, labels), (clips, labels)))["loss"], *_read(state)]

    return step, state


def _read(state: Sequence[keras.Variable]) -> list[tf.Tensor]:
    return [tf.identity(variable.value) for variable in state]


def _described(space: Space) -> dict:
    """What is to be known of a model: its weights and their ranges, and which of them are folded."""
    model = TwoStreamModel(space, execution="slice" if is_genotype(space) else "mask")
    found = {"classes": space.classes, "frames": space.frames, "resolution": space.resolution}
    found["params_m"] = sum(int(np.prod(v.shape)) for v in model.trainable_variables) / 1e6
    if is_genotype(space):
        found["gmacs"] = complexity(space).gmacs
    found["weights"] = [
        {"name": variable.path, "shape": list(variable.shape), **_range(variable)} for variable in model.weights
    ]
    found["folds"] = [
        {
            "kernel": kernel_of(conv).path,
            "bias": kernel_of(conv).path.rsplit("/", 1)[0] + "/bias",
            "norm": norm.gamma.path.removesuffix("/gamma"),
            "epsilon": norm.epsilon,
        }
        for conv, norm in (pairs(model) if is_genotype(space) else ())
    ]
    return found


def _range(variable: keras.Variable) -> dict[str, float]:
    """About as He et al.'s start has it, and normalisation as after some training."""
    kind, shape = variable.path.split("/")[-1], variable.shape
    if kind in ("gamma", "moving_variance"):
        return {"low": 0.5, "high": 1.5}
    if kind in ("beta", "moving_mean", "bias"):
        return {"low": -0.1, "high": 0.1}
    inputs_of_one = np.prod(shape[:3]) if kind == "depthwise_kernel" else np.prod(shape[:-1])
    bound = float((6.0 / max(1, inputs_of_one)) ** 0.5)
    return {"low": -bound, "high": bound}


def space_named(name: str) -> Space:
    """The model that is measured, without dropout, whose random numbers every compiler makes in its own way."""
    return dataclasses.replace(table1() if name == SPACE else genotype.load(name), dropout=0.0)
