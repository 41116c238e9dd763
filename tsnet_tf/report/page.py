"""The report as one HTML file: pictures inside, nothing fetched, light and dark, readable on a phone.

Numbers stand in ``<data value="...">`` with all their digits, so that what reads the page finds what the runs wrote.
"""

from __future__ import annotations

import base64
import dataclasses
import importlib.metadata
import os
import platform
import re
import shlex
from collections.abc import Sequence
from html import escape
from pathlib import Path

from tsnet_tf.report.run import Run
from tsnet_tf.space.two_stream import Space

CSS = Path(__file__).parent / "page.css"
# The browser itself refuses whatever is not in the file.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
TOP1, TOP5 = "top\u20111\u00a0%", "top\u20115\u00a0%"  # not broken at the hyphen
UNITS = {"gmacs": "GMACs", "params_m": "M", "latency_ms": "ms"}  # of what a search can aim at
PACKAGES = ("tsnet_tf", "tensorflow", "keras", "numpy", "matplotlib")


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture in the report.

    Attributes:
      section: heading it stands under.
      light, dark: SVG files' contents.
      alt: what it shows, for those who do not see it.
      caption: how to read it.
      small: whether it needs less than the page's width.
    """

    section: str
    light: bytes
    dark: bytes
    alt: str
    caption: str
    small: bool = False


def page(
    title: str, runs: Sequence[Run], finals: dict[str, dict], missing: Sequence[str], pictures: Sequence[Picture]
) -> str:
    """The whole page.

    Args:
      title: its heading.
      runs: what to report on, in order.
      finals: work folder to the ``final`` part of its ``summary.json`` and its ``seconds_total``.
      missing: what a person would expect and does not find, in words.
      pictures: in the order in which they are shown.

    Returns:
      HTML.
    """
    sections = {"Summary": _summary(runs, finals)}
    for picture in pictures:
        sections[picture.section] = sections.get(picture.section, "") + _figure(picture)
    sections["Configuration"] = "".join(_config(run) for run in runs)
    sections["Versions and commands"] = _versions() + _commands(runs)
    links = "".join(f'<li><a href="#{_anchor(name)}">{escape(name)}</a></li>' for name in sections)
    body = "".join(
        f'<section aria-labelledby="{_anchor(name)}"><h2 id="{_anchor(name)}">{escape(name)}</h2>{content}</section>'
        for name, content in sections.items()
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{CSS.read_text(encoding='utf-8')}</style></head><body>"
        '<a class="skip" href="#content">Skip to the content</a>'
        f"<header><h1>{escape(title)}</h1></header>"
        f'<nav aria-label="Sections"><ul>{links}</ul></nav>'
        f'<main id="content">{_missing(missing)}{body}</main></body></html>\n'
    )


def number(value: float, shown: str) -> str:
    """A number as it is shown, with all its digits behind it."""
    return f'<data value="{value!r}">{escape(shown)}</data>'


def _anchor(name: str) -> str:
    return re.sub(r"\W+", "-", name.lower()).strip("-")


def _missing(lines: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<div class="missing"><strong>What is missing</strong><ul>{items}</ul></div>' if lines else ""


def _table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are HTML."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>' for row in rows
    )
    return _wide(
        caption,
        f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>",
    )


def _wide(label: str, content: str) -> str:
    """Something that may be wider than a phone; the keyboard scrolls it too."""
    return f'<div class="wide" role="region" tabindex="0" aria-label="{escape(label)}">{content}</div>'


def _summary(runs: Sequence[Run], finals: dict[str, dict]) -> str:
    searches = [run for run in runs if run.search]
    trainings = [run for run in runs if not run.search]
    parts = []
    if finals:
        columns = ("folder", TOP1, "hand-made, same cost", "random, same cost", TOP5, "views")
        columns += ("GMACs per view", "params M", "minutes in all")
        title = "The final model" if len(finals) == 1 else "The final models"
        parts.append(_table(title, columns, [_final(*item) for item in finals.items()]))
    if searches:
        columns = ("run", "sparse stream", "dense stream", "fusion", "attention")
        columns += ("target", "GMACs per view", "params M", "entropy, nats", "seconds", TOP1)
        parts.append(_table("Search steps, in the form of the paper's Table 5", columns, [_step(r) for r in searches]))
    if trainings:
        columns = (
            "run",
            "steps",
            "GMACs per view",
            "params M",
            "seconds",
            "views",
            "GMACs per video",
            TOP1,
            TOP5,
        )
        parts.append(_table("Trainings", columns, [_training(run) for run in trainings]))
    return "".join(parts)


def _final(folder: str, final: dict) -> list[str]:
    return [
        escape(folder),
        number(final["top1"], f"{100 * final['top1']:.1f}"),
        *(_percent(final.get(f"{origin}_top1")) for origin in ("hand_made", "random")),
        number(final["top5"], f"{100 * final['top5']:.1f}"),
        escape(final["views"]),
        number(final["gmacs"], f"{final['gmacs']:.4g}"),
        number(final["params_m"], f"{final['params_m']:.3g}"),
        number(final["seconds_total"], f"{final['seconds_total'] / 60:.1f}"),
    ]


def _percent(part: float | None) -> str:
    return "" if part is None else number(part, f"{100 * part:.1f}")


def _step(run: Run) -> list[str]:
    parts, s = _parts(run.genotype or run.space), run.summary
    row = [escape(run.name), *("\u2713" if part else "" for part in parts)]
    if s is None:
        return [*row, f"unfinished, {run.reached}", *["\u2013"] * 5]
    start, end = s["entropy_nats"]["start"], s["entropy_nats"]["end"]
    return [
        *row,
        _target(s),
        number(s["gmacs"], f"{s['gmacs']:.4g}"),
        number(s["params_m"], f"{s['params_m']:.3g}"),
        f"{number(start, f'{start:.1f}')} \u2192 {number(end, f'{end:.1f}')}",
        number(s["seconds"], f"{s['seconds']:.0f}"),
        number(s["test_top1"], f"{100 * s['test_top1']:.1f}"),
    ]


def _target(summary: dict) -> str:
    """What the search was to come out at, with its unit; what became of it, where no other column tells."""
    name = next(key for key in summary if key.startswith("target_")).removeprefix("target_")
    target = summary[f"target_{name}"]
    shown = f"{number(target, f'{target:.4g}')} {UNITS[name]}"
    if name != "latency_ms":
        return shown
    found = summary.get(f"measured_{name}", summary[name])
    return f"{shown}, found {number(found, f'{found:.4g}')}"


def _parts(space: Space | None) -> tuple[bool, bool, bool, bool]:
    """Whether there is a sparse stream, a dense one, a fusion, attention."""
    if space is None:
        return False, False, False, False
    groups = [group for stream in space.streams for group in stream.groups]
    fused = space.dense is not None and any(kind != "none" for group in groups for kind in group.fusion)
    return True, space.dense is not None, fused, any(True in group.attention for group in groups)


def _training(run: Run) -> list[str]:
    s, e = run.summary, run.evaluation
    row = [escape(run.name)]
    if s is None:
        row += [f"unfinished, {run.reached}", *["\u2013"] * 3]
    else:
        row += [number(s["steps"], f"{s['steps']}"), number(s["gmacs"], f"{s['gmacs']:.4g}")]
        row += [number(s["params_m"], f"{s['params_m']:.3g}"), number(s["seconds"], f"{s['seconds']:.0f}")]
    if e is None:
        return [*row, *["\u2013"] * 4]
    accuracies = [number(e[name], f"{100 * e[name]:.1f}") for name in ("top1", "top5")]
    return [*row, escape(e["views"]), number(e["gmacs_per_video"], f"{e['gmacs_per_video']:.4g}"), *accuracies]


def _figure(picture: Picture) -> str:
    def data(svg: bytes) -> str:
        return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"

    image = (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{data(picture.dark)}">'
        f'<img src="{data(picture.light)}" alt="{escape(picture.alt)}"></picture>'
    )
    kind = ' class="small"' if picture.small else ""
    return f"<figure{kind}>{_wide(picture.alt, image)}<figcaption>{escape(picture.caption)}</figcaption></figure>"


def _config(run: Run) -> str:
    return f"<details><summary>{escape(run.name)}: settings in force</summary>{_code(run.config, run.name)}</details>"


def _code(text: str, label: str) -> str:
    return f'<pre role="region" tabindex="0" aria-label="{escape(label)}">{escape(text)}</pre>'


def _versions() -> str:
    rows = [("Python", escape(platform.python_version()))]
    for package in PACKAGES:
        try:
            rows.append((package, escape(importlib.metadata.version(package))))
        except importlib.metadata.PackageNotFoundError:
            rows.append((package, "not installed as a package"))
    return _table("Versions that this report was written with", ("package", "version"), rows)


def _commands(runs: Sequence[Run]) -> str:
    """What makes each run again from its settings."""
    lines = []
    for run in runs:
        settings, workdir = f"--gin_file={run.folder}/config.gin", f"--workdir=again/{run.name.lstrip('/')}"
        if run.search:
            steps = [r for r in runs if r.search and r.summary and _parent(r.folder) == _parent(run.folder)]
            before = [f"--previous={r.folder}" for r in steps if r.search == run.after]
            lines.append(["bin/search.py", settings, workdir, *before[-1:]])
        else:
            lines.append(["bin/train.py", settings, workdir, f"--genotype={run.folder}/genotype.json"])
            if run.evaluation:
                lines.append(["bin/evaluate.py", workdir, f"--views={run.evaluation['views']}"])
    return "<h3>To make these runs again</h3>" + _code("\n".join(map(shlex.join, lines)), "commands")


def _parent(folder: str) -> str:
    return os.path.dirname(os.path.normpath(folder))
