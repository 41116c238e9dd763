"""Mistakes in gin settings that gin would tell of after minutes, or never: names are held against the source.

Nothing is imported for it (`tsnet_tf.configurables`).
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterable, Sequence

from tsnet_tf import configurables
from tsnet_tf.errors import UserError
from tsnet_tf.settings import Binding, Macro, Reference, Settings, read

_OF_GIN = ("macro", "singleton")  # what gin itself brings
# What an annotation takes, and in words; of others nothing is known.
_KINDS = {
    "int": ("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "float": ("a number", lambda value: isinstance(value, (int, float)) and not isinstance(value, bool)),
    "str": ("a text", lambda value: isinstance(value, str)),
    "bool": ("True or False", lambda value: isinstance(value, bool) or value in (0, 1)),
    "None": ("None", lambda value: value is None),
}
_SEVERAL = ("several values in brackets", lambda value: isinstance(value, (list, tuple)))


def check(settings: Settings, *, calls: Sequence[str] = (), beside: Iterable[Settings] = ()) -> None:
    """Refuses names that nothing has, macros that nothing refers to or sets, what is required and not set, and numbers
    where texts are wanted, or the other way round.

    Settings of what a binary does not use are no mistake: gin files are shared.

    Args:
      settings: what was given.
      calls: configurables that the binary calls.
      beside: other settings that are in force with these, which may refer to their macros, and set macros for them.

    Raises:
      UserError: the first mistake.
    """
    own = (configurables.PACKAGE.name, "gin", "__gin__")
    if all(module.split(".")[0] in own for module in settings.imports):  # else others may bring names; gin will tell
        for binding in settings.bindings:
            _check_names(binding)
    everything = (settings, *beside)
    _check_macros(settings, everything)
    for binding in settings.in_force.values():
        _check_kind(binding, everything)
    _check_required(settings, calls)


def _check_names(binding: Binding) -> None:
    for part in binding.parts:
        if isinstance(part, Reference) and not configurables.find(part.name) and part.name not in _OF_GIN:
            guess = _guess(part.name, configurables.known())
            raise UserError(f"{binding.where}: expected a name that can be referred to, found '@{part.name}'{guess}")
    if not binding.parameter or binding.selector.rsplit(".", 1)[-1] in _OF_GIN:
        return
    found = configurables.find(binding.selector)
    if found is None:
        guess = _guess(binding.name, configurables.all_parameters())
        raise UserError(f"{binding.where}: expected a name that can be set, found '{binding.name}'{guess}")
    own = configurables.known()[found].parameters
    if binding.parameter not in own:
        guess = _owners(binding.parameter) or _guess(binding.parameter, own, f"{found}.")
        raise UserError(
            f"{binding.where}: expected a setting of {found}, found '{binding.name}'"
            f"{guess or '; there are ' + ', '.join(own)}"
        )


def _check_macros(settings: Settings, everything: Sequence[Settings]) -> None:
    used = {name for one in everything for name in one.macros_used} | set(_shared_macros())
    given = {binding.name for one in everything for binding in one.bindings if not binding.parameter}
    for binding in settings.bindings:
        if not binding.parameter and binding.name not in used:
            guess = _owners(binding.name) or _guess(binding.name, [*used, *configurables.all_parameters()])
            raise UserError(
                f"{binding.where}: expected a name that a setting refers to, found '{binding.name}', which none "
                f"does{guess}"
            )
    for name, binding in settings.macros_used.items():
        if name not in given and "." not in name:  # names with a point are gin's constants
            guess = _guess(name, given, "%")
            raise UserError(
                f"{binding.where}: expected a value for %{name} of {binding.name}, found none that is set{guess}"
            )


def _check_kind(binding: Binding, everything: Sequence[Settings]) -> None:
    found = configurables.find(binding.selector) if binding.parameter else None
    kinds = _kinds(configurables.known()[found].annotations.get(binding.parameter, "")) if found else []
    said = _said(binding, everything)
    if not kinds or said is None or any(isinstance(part, (Reference, Macro)) for part in said.parts):
        return
    if not any(takes(said.value) for _, takes in kinds):
        wanted = " or ".join(words for words, _ in kinds)
        raise UserError(f"{said.where}: expected {wanted} for {binding.name}, found {said.value!r}")


def _kinds(annotation: str) -> list:
    """Those of `_KINDS` that an annotation names; none if it names others too."""
    parts = annotation.split(" | ")
    found = [_SEVERAL if part.startswith(("tuple[", "Sequence[")) else _KINDS.get(part) for part in parts]
    return found if all(found) else []


def _said(binding: Binding, everything: Sequence[Settings]) -> Binding | None:
    """The binding that has the value of ``binding``: of a macro, where that is set; None if it is not."""
    seen = []
    while isinstance(binding.value, Macro) and binding.value.name not in seen:
        seen.append(binding.value.name)
        set_in = [one.in_force[seen[-1]] for one in everything if seen[-1] in one.in_force]
        if not set_in:
            return None
        binding = set_in[0]
    return binding


@functools.cache
def _shared_macros() -> frozenset[str]:
    """Those of ``gin/base.gin``: a file that sets them goes with every binary, also with one that never asks."""
    return frozenset(read(["gin/base.gin"]).macros_used)


def _check_required(settings: Settings, calls: Sequence[str]) -> None:
    in_force = [binding for binding in settings.in_force.values() if binding.parameter]
    given = {f"{configurables.find(binding.selector)}.{binding.parameter}" for binding in in_force}
    reached = [(name, configurables.known()[name].required) for name in calls]
    missing = []
    for name, parameters in reached:  # it grows meanwhile
        missing += [f"{name}.{parameter}" for parameter in parameters if f"{name}.{parameter}" not in given]
        for binding in (one for one in in_force if configurables.find(one.selector) == name):
            called = [part.name for part in binding.parts if isinstance(part, Reference) and part.called]
            for other in filter(None, map(configurables.find, called)):
                if other not in dict(reached):
                    reached.append((other, configurables.known()[other].needed))
    if missing:
        raise UserError(
            f"expected gin files that set {', '.join(missing)}, found none; --help shows which belong together"
        )


def _owners(parameter: str) -> str:
    """A guess at what is meant by a parameter's name alone, or at another's parameter."""
    owners = [name for name in configurables.all_parameters() if name.endswith(f".{parameter}")]
    return f"; did you mean {' or '.join(owners)}?" if owners else ""


def _guess(name: str, names: Iterable[str], before: str = "") -> str:
    close = difflib.get_close_matches(name, sorted(set(names)), n=1, cutoff=0.7)
    return f"; did you mean {before}{close[0]}?" if close else ""
