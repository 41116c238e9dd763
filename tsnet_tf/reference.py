"""The page of all settings, made from the docstrings: python -m tsnet_tf.reference > docs/settings.md."""

import importlib
import inspect
import re
from collections.abc import Iterator

import gin

from tsnet_tf import configurables

HEAD = """# All settings

What gin files and `--gin_bindings` can set, as `NAME.SETTING = VALUE`; made from the docstrings by
`python -m tsnet_tf.reference > docs/settings.md`. Defaults are those of the code; `gin/base.gin` and the files that
include it have others. A setting without a default, or with *required*, has to be set where it is used.
"""
_GIVEN = {"workdir", "files", "bindings", "binaries", "dry_run", "flags", "without", "recorder", "pace", "strategy"}
_GIVEN |= {"model", "make_dataset", "labels", "evaluation.dataset", "weight_optimizer.steps"}
_GIVEN |= {"weight_optimizer.batch_size"}


def page() -> str:
    """The whole page, as Markdown."""
    return "\n".join([HEAD, *(line for name in sorted(configurables.known()) for line in _section(name))])


def _section(name: str) -> Iterator[str]:
    """A heading, the first sentence of the docstring, and a row for each setting."""
    found = configurables.known()[name]
    importlib.import_module(found.module)
    made = gin.get_configurable(name)
    doc = inspect.getdoc(made) or ""
    said, parameters = (
        dict(_described(doc)),
        inspect.signature(made.__init__ if isinstance(made, type) else made).parameters,
    )
    settings = [one for one in found.parameters if one in said and not {one, f"{name}.{one}"} & _GIVEN]
    if not settings:
        return
    yield f"## {name}\n\n{' '.join(doc.split(chr(10) * 2)[0].split())}\n\n| setting | default | |\n|---|---|---|"
    for one in settings:
        default = parameters[one].default
        shown = {inspect.Parameter.empty: "", gin.REQUIRED: "*required*"}.get(default) if _hashable(default) else None
        text = said[one].replace("|", "\\|")
        yield f"| `{one}` | {f'`{default!r}`' if shown is None else shown} | {text} |"
    yield ""


def _described(doc: str) -> Iterator[tuple[str, str]]:
    """Name and text of everything in the sections Args and Attributes."""
    for section in re.findall(r"^(?:Args|Attributes):\n((?:[ ]+.*\n?|\n)+)", doc, re.M):
        for names, text in re.findall(r"^  (\w[\w, ]*): (.*(?:\n    .*)*)", section, re.M):
            for name in names.split(", "):
                yield name, " ".join(text.split())


def _hashable(value: object) -> bool:
    return getattr(type(value), "__hash__", None) is not None and not isinstance(value, (tuple, list))


if __name__ == "__main__":
    print(page(), end="")
