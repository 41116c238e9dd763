"""The programs of this folder in JAX: compiled for its device, checked against what TensorFlow made of them, and timed.

An HLO module becomes StableHLO, and that the body of a function of JAX; everything else is JAX's own.
"""

from __future__ import annotations

import functools
import gzip
import json
import pathlib
import re
import time
from collections.abc import Mapping, Sequence

import jax
import numpy as np
from inputs import clips, folded, labels, taken, weights
from jax.extend import core
from jax.extend.mlir import hlo_to_stablehlo
from jax.extend.mlir.dialects import func
from jax.interpreters import mlir
from timing import timed

jax.config.update("jax_enable_x64", True)  # labels and counters are int64

# What float32 products are computed in where the device has a choice.
PRECISIONS = {"float32": "HIGHEST", "tf32": "DEFAULT"}


class Program:
    """One of the programs, for one device, with everything that it is given.

    Args:
      folder: this folder.
      entry: its entry in the manifest.
      models: the models of the manifest.
      precision: one of `PRECISIONS`; None leaves the program as it is.
    """

    def __init__(self, folder: pathlib.Path, entry: Mapping, models: Mapping, precision: str | None):
        self.entry, self.precision = entry, precision
        self.numbers = precision or "bfloat16"
        self.title = f"{entry['model']} {entry['kind']}, {entry['lowering']}, {self.numbers}"
        self._folder, self._model, self._call = folder, models[entry["model"]], None

    def compile(self) -> None:
        """Translates and compiles it."""
        text = _in_precision(_module_text(self._folder / self.entry["hlo"]), self.precision)
        shapes = [jax.ShapeDtypeStruct(p["shape"], p["dtype"]) for p in self.entry["parameters"]]
        call = functools.partial(_program.bind, text=text, kept=len(self.entry["outputs"]))
        started = time.perf_counter()
        lowered = jax.jit(lambda *given: call(*given)).lower(*shapes)
        self._call = lowered.compile()
        self.seconds_to_compile = time.perf_counter() - started

    def release(self) -> None:
        """Gives its memory back."""
        self._call = None

    def measure(self, repeats: int) -> dict:
        """Runs it, compares what comes out, and times it.

        Returns:
          ``max_error``, the largest difference of an output over that output's largest number, and ``of``, which one;
          what `timed` measures; ``gigabytes`` that the program takes: what it is given, what it gives, and what it
          needs on the way.
        """
        given = [jax.device_put(value) for value in self._inputs()]
        outputs = jax.block_until_ready(self._call(*given))
        errors = self._errors(outputs)
        worst = max(errors, key=errors.get)
        del outputs
        memory = self._call.memory_analysis()
        sizes = [getattr(memory, f"{kind}_size_in_bytes", 0) for kind in ("argument", "output", "temp")]
        found = {
            "first_output_error": next(iter(errors.values())),
            "max_error": errors[worst],
            "of": worst,
            "gigabytes": sum(sizes) / 1e9,
            "seconds_to_compile": self.seconds_to_compile,
        }
        return found | timed(lambda: self._call(*given), jax.block_until_ready, self.entry["batch_size"], repeats)

    def _inputs(self) -> list[np.ndarray]:
        stored, made = np.load(self._folder / self.entry["stored"]), _weights(self._folder, self.entry["model"])
        values = []
        for index, parameter in enumerate(self.entry["parameters"]):
            kind, shape, dtype = (parameter[name] for name in ("from", "shape", "dtype"))
            if kind in made:
                value = made[kind][parameter["name"]]
            elif kind == "clips":
                value = clips(shape)
            elif kind == "labels":
                value = labels(shape[0], self._model["classes"])
            elif kind == "zeros":
                value = np.zeros(shape, dtype)
            else:
                value = stored[f"parameter {index}"]
            values.append(value.astype(dtype))
        return values

    def _errors(self, outputs: Sequence) -> dict[str, float]:
        """Largest difference over the output's largest number, by output; infinite where one is no number."""
        stored = np.load(self._folder / self.entry["stored"])
        errors = {}
        for index, (output, described) in enumerate(zip(outputs, self.entry["outputs"], strict=True)):
            expected = stored[f"output {index}"]
            difference = np.abs(taken(np.asarray(output, np.float64)) - expected).max(initial=0.0)
            error = float(difference / (described["largest"] or 1.0))
            errors[described["name"]] = error if np.isfinite(error) else float("inf")
        return errors


def load(folder: pathlib.Path) -> dict:
    """The manifest."""
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


@functools.cache
def _module_text(path: pathlib.Path) -> str:
    with mlir.make_ir_context():
        text = str(mlir.ir.Module.parse(hlo_to_stablehlo(gzip.decompress(path.read_bytes()))))
    # Copies and sizes that are known change nothing, and not every device's compiler is told of them.
    text = re.sub(r"mhlo\.copy (%\S+) : (\S+)", r"stablehlo.reshape \1 : (\2) -> \2", text)
    sized = r"stablehlo\.set_dimension_size (%\S+), %\S+, dim = \d+ : \((\S+), \S+\) -> \2"
    text = re.sub(sized, r"stablehlo.reshape \1 : (\2) -> \2", text)
    return re.sub(r' \{result_layout = dense<[^>]*> : \S+, xla_shape = "[^"]*"\}', "", text)


def _in_precision(text: str, precision: str | None) -> str:
    wanted = PRECISIONS.get(precision, "DEFAULT")
    text = text.replace("precision DEFAULT>", f"precision {wanted}>")
    return text.replace("precision = [DEFAULT, DEFAULT]", f"precision = [{wanted}, {wanted}]")


def _main(module):
    return next(f for f in module.body.operations if isinstance(f, func.FuncOp) and f.name.value == "main")


@functools.cache
def _weights(folder: pathlib.Path, model: str) -> dict[str, dict[str, np.ndarray]]:
    described = load(folder)["models"][model]
    plain = weights(described["weights"])
    return {"weights": plain, "folded": folded(plain, described["folds"])}


def _abstract(*_, text: str, kept: int):
    with mlir.make_ir_context():
        module = mlir.ir.Module.parse(text)  # has to live as long as what is in it
        types = list(_main(module).type.results)[:kept]
        return [jax.core.ShapedArray(tuple(t.shape), _DTYPES[str(t.element_type)]) for t in types]


def _lowered(context, *given, text: str, kept: int):
    whole = context.module_context.module
    with whole.context:
        module = mlir.ir.Module.parse(text)
    results = list(_main(module).type.results)
    name = mlir.merge_mlir_modules(whole, "program", module, dst_symtab=context.module_context.symbol_table)
    return list(func.CallOp(results, mlir.ir.FlatSymbolRefAttr.get(name), given).results)[:kept]


_DTYPES = {
    **{
        name: np.dtype(dtype)
        for name, dtype in {"f32": "float32", "i64": "int64", "i32": "int32", "i1": "bool"}.items()
    },
    "bf16": np.dtype(jax.numpy.bfloat16),
}
_program = core.Primitive("program")
_program.multiple_results = True
_program.def_abstract_eval(_abstract)
mlir.register_lowering(_program, _lowered)
