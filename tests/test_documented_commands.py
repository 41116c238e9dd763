"""Every command and gin snippet of README, docs, gin files and the binaries' own help is what the binaries take.

Each command is run as it is written, with the real binary, up to where its work would begin: flags, files and settings
are checked, and TensorFlow is not imported. `test_documented_commands_run.py` does the work of some of them.
"""

import ast
import dataclasses
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

from tsnet_tf import setting_mistakes, settings
from tsnet_tf.search import parts
from tsnet_tf.space import genotype
from tsnet_tf.space.cost import complexity, largest, smallest
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import for_clips

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(p for p in (ROOT / "docs").glob("*.md") if p.name != "settings.md"),
]
BINARIES = sorted((ROOT / "bin").glob("*.py"))
GIN_FILES = sorted((ROOT / "gin").rglob("*.gin"))
OMITTED = "..."  # of a command, where the rest is said elsewhere


@dataclasses.dataclass(frozen=True)
class Command:
    page: str
    binary: str
    arguments: tuple[str, ...]

    @property
    def is_whole(self):
        return OMITTED not in self.arguments and not any(a.endswith(("--shards", "--check")) for a in self.arguments)

    def __str__(self):
        return f"{self.page}: {self.binary} {shlex.join(self.arguments)}"


def fenced(text):
    """Blocks of code without a language; a block in a list is indented."""
    blocks = re.findall(r"^ *```(\w*)\n(.*?)^ *```", text, re.S | re.M)
    return [re.sub(r"^ {0,3}", "", block, flags=re.M) for language, block in blocks if not language]


def snippets():
    """File name to content of every gin file that a page shows: its first line is a comment with its name."""
    found = {}
    for page in PAGES:
        for block in fenced(page.read_text(encoding="utf-8")):
            for part in re.split(r"^(?=# \S+\.gin\b)", block, flags=re.M):
                if match := re.match(r"# (\S+\.gin)\b", part):
                    found[match[1]] = part
    return found


def commands_of(page, text):
    """The calls of binaries in lines of shell, or in a list of YAML."""
    for line in text.replace("\\\n", " ").splitlines():
        match = re.search(r"(?:^\s*|python3? |\[python, )bin/(\w+\.py)\b(.*)", line)
        if not match:
            continue
        binary, rest = match.groups()
        if "[python, bin/" in line:
            arguments = rest.strip(" ,]").split(", ")
        else:
            # Of a program within quotes, the last one closes it.
            rest = rest[:-1] if rest.count("'") % 2 and rest.endswith("'") else rest
            arguments = shlex.split(re.sub(r"\s{2,}\(or .*", "", rest), comments=True)
            ends = [n for n, argument in enumerate(arguments) if argument in ("|", ">", "&&", ";")]
            arguments = arguments[: ends[0]] if ends else arguments
        if arguments:
            yield Command(page, binary, tuple(arguments))


def all_commands():
    for page in PAGES:
        text, name = page.read_text(encoding="utf-8"), page.name
        for block in fenced(text):
            yield from commands_of(name, block)
        for inline in re.findall(
            r"`([^`\n]*bin/\w+\.py [^`]+)`", re.sub(r"^ *```.*?^ *```", "", text, flags=re.S | re.M)
        ):
            yield from commands_of(name, inline)
    for path in BINARIES:
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        yield from commands_of(path.name, "\n".join(re.findall(r"^ .*", docstring, re.M)))  # the rest is prose
    for path in GIN_FILES:
        header = re.match(r"(#.*\n)+", path.read_text(encoding="utf-8"))[0]
        yield from commands_of(path.name, re.sub(r"^# ?", "", header, flags=re.M))


COMMANDS = sorted(set(all_commands()), key=str)
# What a reader has when he gives a command: folders of finished runs, data, files.
RUNS = (
    "sparse",
    "dense_fusion",
    "attention",
    "train",
    "mine/train",
    "demo/sparse",
    "demo/dense_fusion",
    "demo/attention",
    "demo/train",
)
RUNS += ("x3d_s", "k400", "a", "b", "fast", "one_step_1", "one_step_1_train", "refined_1", "again")
FILES = ("my.csv", "annotations.csv", "train.csv", "validate.csv", "test.csv", "labels.json", "train.json", "film.mp4")
FILES += (
    "validation.json",
    "clip.mp4",
    "a.npz",
    "b.npz",
    "saved_model/saved_model.pb",
    "saved_model/assets/metadata.json",
    "latency.json",
    "more/a.mp4",
)
FILES += ("train.txt", "val.txt", "X3D_S.pyth", "kinetics_classnames.json", "docs/study/motion.jsonl")
FILES += ("videos/a.mp4", "data/manifest.json", "records/manifest.json", "data/kinetics400/manifest.json")
FILES += (
    "runs/demo/data/manifest.json",
    "runs/demo/saved_model/saved_model.pb",
    "runs/demo/saved_model/assets/metadata.json",
    "data/mine/manifest.json",
    "DIR/a.mp4",
)
FILES += tuple(f"runs/{data}/videos/annotations.csv" for data in ("demo", "graded", "motion"))
FILES += ("runs/a/predictions/test_10-center.npz",)
FILES += ("runs/b/predictions/test_10-center.npz", "runs/demo_seed1/a", "runs/demo_seed2/a", "clips/a.mp4")


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with everything that the commands name."""
    folder = tmp_path_factory.mktemp("desk")
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    for name in RUNS:
        (folder / "runs" / name).mkdir(parents=True, exist_ok=True)
        (folder / "runs" / name / "summary.json").write_text("{}")
        (folder / "runs" / name / "config.gin").write_text("seed = 0\ntrain.seed = %seed\n")
        (folder / "runs" / name / "genotype.json").write_text(genotype.dumps(genotype.load("manual_tsnet_70")))
    (folder / "my_space.py").write_text("from tsnet_tf.space.table1 import table1\nSPACE = table1()\n")
    (folder / "my_space.json").write_text("{}")  # the work itself is left out
    for name, content in snippets().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


# Every binary in a process of its own, which has what all import already; the work itself is left out.
DRIVER = """
import json, os, runpy, sys
import absl.app, gin, rich.progress
from tsnet_tf import cli, settings
run = cli.run
def up_to_the_work(main, **rest):
    cli.settings.apply = cli.filesystems.load_for = cli.filesystems.check_can_be_written = lambda *given: None
    run(lambda *given: print("the work would begin"), **rest)
cli.run = up_to_the_work
for binary, arguments in json.load(sys.stdin):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writer, 1)
        os.dup2(writer, 2)
        sys.argv = [binary, *arguments]
        try:
            runpy.run_path(binary, run_name="__main__")
        except SystemExit:
            pass
        finally:
            print("TensorFlow was imported" if "tensorflow" in sys.modules else "", flush=True)
            sys.stderr.flush()
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as said:
        print(json.dumps(said.read()), flush=True)
    os.waitpid(child, 0)
"""


def placeholders_filled(argument):
    """A reader puts a number for S, as in "seed = S" and runs/one_step_S."""
    return re.sub(r"(?<![A-Za-z])S(?![A-Za-z.])", "1", argument)


@pytest.fixture(scope="module")
def said(desk):
    """Command to what its binary says when its work would begin."""
    whole = [command for command in COMMANDS if command.is_whole]
    calls = [(str(ROOT / "bin" / c.binary), [placeholders_filled(a) for a in c.arguments]) for c in whole]
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        input=json.dumps(calls),
        cwd=desk,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(zip(whole, map(json.loads, done.stdout.splitlines()), strict=True))


def test_commands_are_found():
    pages = {command.page for command in COMMANDS}
    assert {
        "README.md",
        "datasets.md",
        "operations.md",
        "performance.md",
        "results.md",
        "search.py",
        "ssv2.gin",
    } <= pages
    assert {command.binary for command in COMMANDS} == {path.name for path in BINARIES}
    assert len(COMMANDS) > 80


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.is_whole], ids=str)
def test_command_is_taken_as_it_is_written(said, command):
    assert said[command] == "the work would begin\n\n"


@pytest.mark.parametrize("command", [c for c in COMMANDS if not c.is_whole], ids=str)
def test_flags_of_a_part_of_a_command_are_flags(command):
    source = (ROOT / "bin" / command.binary).read_text(encoding="utf-8") + (ROOT / "tsnet_tf/cli.py").read_text()
    for argument in command.arguments:
        if argument.startswith("--"):
            assert f'"{argument[2:].split("=")[0]}"' in source


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_settings_in_the_text_are_settings(page):
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    for binding in sorted(set(re.findall(r"`([A-Za-z_]\w*\.[a-z]\w* = [^`]+)`", text))):
        setting_mistakes.check(settings.read([], [binding]))


@pytest.mark.parametrize("name", snippets())
def test_snippets_of_gin_files_are_sound(desk, monkeypatch, name):
    monkeypatch.chdir(desk)
    found = settings.read([name])
    setting_mistakes.check(found)
    if found.value("progressive.steps"):
        parts.check(found, [name], [])


def test_budget_of_the_readme_can_be_met(desk, monkeypatch):
    monkeypatch.chdir(desk)
    mine = settings.read(["mine.gin"])
    names = ("sparse_width", "depths", "hidden")
    space = table1(**{name: mine.value(f"table1.{name}") for name in names})
    clips = (mine.value(f"VideoDataset.{name}") for name in ("crop", "sparse_frames", "dense_frames"))
    space = for_clips(space, *clips)
    least, most = (complexity(extreme(space)).gmacs for extreme in (smallest, largest))
    assert 1.2 * least < mine.value("progressive.target_gmacs") < most / 1.2
    assert len([line for line in snippets()["mine.gin"].splitlines() if line and not line.startswith("#")]) <= 6


@pytest.mark.parametrize("binary", BINARIES, ids=lambda path: path.name)
def test_help_takes_less_than_a_second_of_the_processor(binary, tmp_path):
    command = [sys.executable, str(binary), "--help"]
    with open(tmp_path / "said", "w") as said:
        process = subprocess.Popen(command, stdout=said, env={**os.environ, "PYTHONPATH": str(ROOT)})
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0 and used.ru_utime + used.ru_stime < 1.0
    assert "--workdir" in (tmp_path / "said").read_text()


def test_binaries_run_as_the_readme_prints_them(tmp_path):
    """With the environment's programs first, as after its activation."""
    assert all(
        os.access(path, os.X_OK) and path.read_text().startswith("#!/usr/bin/env python3\n") for path in BINARIES
    )
    path = f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    command = "bin/complexity.py --genotype=x3d_s --json"
    done = subprocess.run(command, shell=True, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and json.loads(done.stdout)["genotype"] == "x3d_s", done.stderr


def test_the_readmes_python_runs(capsys):
    [code] = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S | re.M)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["logits"].shape == (1, 400)
    assert re.fullmatch(r"\d\.\d\d GMACs a view, \d\.\d\d M parameters\n", capsys.readouterr().out)
