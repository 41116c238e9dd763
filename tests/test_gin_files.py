"""Every gin file parses as the binaries parse it, its space builds, and every published architecture loads."""

import importlib
import math
import pathlib
import re

import gin
import pytest

from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.search.cost_tables import CostTables
from tsnet_tf.search.selection import check_target
from tsnet_tf.space import genotype
from tsnet_tf.space.cost import complexity, smallest
from tsnet_tf.space.two_stream import choices, entropy_of_uniform, only, restrict, size, values_of, variables

ROOT = pathlib.Path(__file__).resolve().parents[1]
FILES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "gin").rglob("*.gin"))
STEPS = [f for f in FILES if f.startswith(("gin/steps/", "gin/ablation/"))]
STEPS += [f"gin/demo/{step}.gin" for step in ("sparse", "dense_fusion", "attention")]
NEEDS_DATA = [f for f in FILES if f.startswith(("gin/steps/", "gin/ablation/", "gin/train/"))]
DATA = "gin/data/kinetics400.gin"

# Registers what the files name, as the binaries do before they parse.
for module in ("tsnet_tf.search.step", "tsnet_tf.search.progressive", "tsnet_tf.training.train"):
    importlib.import_module(module)


@pytest.fixture(autouse=True)
def clean_gin():
    gin.clear_config()
    yield
    gin.clear_config()


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A binary can be started from any folder."""
    monkeypatch.chdir(tmp_path)
    gin.add_config_file_search_path(str(ROOT))


def parse(*files):
    gin.parse_config_files_and_bindings([str(ROOT / f) for f in files], [])


def bound(name):
    """The value that gin gives a parameter."""
    value = gin.query_parameter(name)
    return value.scoped_configurable_fn() if isinstance(value, gin.config.ConfigurableReference) else value


@pytest.mark.parametrize("path", FILES)
def test_parses(path):
    parse(path)


@pytest.mark.parametrize("path", NEEDS_DATA)
def test_parses_with_a_data_set_and_builds_it(path):
    parse(path, DATA)
    assert bound(f"{'train' if 'train' in path else 'search'}.dataset").directory == "data/kinetics400"


def step_space(path):
    """The space that the step of ``path`` searches; what earlier steps would have found is the smallest."""
    parse(path, *([DATA] if path in NEEDS_DATA else []))
    space = only(bound("search.space"), bound("search.streams"))
    return restrict(space, bound("search.free"), values_of(smallest(space)))


@pytest.mark.parametrize("path", STEPS)
def test_space_of_a_step_builds_and_leaves_its_own_kinds_open(path):
    kinds = {choice.kind for choice in choices(step_space(path))}
    blocks = {"temporal_kernel", "spatial_kernel", "channels", "expansion"}
    assert (
        kinds
        == {
            "sparse": blocks,
            "dense_fusion": blocks | {"fusion"},
            "attention": {"attention"},
            "one_step": blocks | {"fusion", "attention"},
            "backbone": blocks,
            "random": blocks,
            "fusion": {"fusion"},
        }[pathlib.Path(path).stem]
    )


@pytest.mark.parametrize("path", STEPS)
def test_streams_of_a_step(path):
    free = choices(step_space(path))
    labels = {choice.label.split("/")[0] for choice in free}
    stem = pathlib.Path(path).stem
    assert labels == ({"sparse"} if stem in ("sparse", "backbone", "random", "fusion") else {"sparse", "dense"})
    if stem == "dense_fusion":
        assert {c.kind for c in free if c.label.startswith("sparse/")} == {"fusion"}


def test_a_space_of_the_users_own_is_searched_by_two_lines(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from tsnet_tf.space.table1 import table1\nSPACE = table1(name='mine', temporal_kernels=(1, 7))\n"
    )
    files = [str(ROOT / path) for path in ("gin/steps/dense_fusion.gin", DATA)]
    mine = ["search.space = @space_file()", f"space_file.path = '{tmp_path}/mine.py'"]
    gin.parse_config_files_and_bindings(files, mine)
    space = only(bound("search.space"), bound("search.streams"))
    space = restrict(space, bound("search.free"), values_of(smallest(space)))
    assert space.name == "mine"
    assert {c.values for c in choices(space) if c.kind == "temporal_kernel"} == {(1, 7)}


@pytest.mark.parametrize("path", STEPS)
def test_target_of_a_step_can_be_met(path):
    """From the smallest sparse stream on; whether it can be with what was found is checked when a step starts."""
    space = step_space(path)
    if pathlib.Path(path).stem == "attention":
        assert complexity(smallest(space)).gmacs < bound("search.target_gmacs")
    else:
        check_target(space, CostTables(space), bound("search.target_gmacs"))


def test_papers_spaces_have_the_papers_sizes():
    """Table 1 as printed: 3.3e24 sparse architectures, 56.5 nats; 2^12 ways to place attention (section 5.5.3)."""
    sparse = step_space("gin/steps/sparse.gin")
    assert size(sparse) == pytest.approx(3.3e24, rel=0.02) and entropy_of_uniform(sparse) == pytest.approx(
        56.5, abs=0.1
    )
    gin.clear_config()
    assert size(step_space("gin/steps/attention.gin")) == 4096
    gin.clear_config()
    assert math.log10(size(step_space("gin/ablation/one_step.gin"))) > 53


@pytest.mark.parametrize("path, count", [("fusion", 2**10), ("attention", 2**12)])
def test_ablations_search_manual_tsnet_70(path, count):
    space = step_space(f"gin/ablation/{path}.gin")
    assert size(space) == count
    assert (
        values_of(genotype.load("manual_tsnet_70")).items()
        >= {c.label: c.values[0] for c in variables(space) if len(c.values) == 1 and c.kind != "fusion"}.items()
    )


@pytest.mark.parametrize("path, after", [("sparse", None), ("dense_fusion", "sparse"), ("attention", "dense_fusion")])
@pytest.mark.parametrize("folder", ["steps", "demo"])
def test_steps_name_the_one_before(folder, path, after):
    parse(f"gin/{folder}/{path}.gin")
    assert bound("search.name") == path
    bindings = gin.config_str()
    assert (f"search.after = '{after}'" in bindings) if after else ("search.after" not in bindings)


def test_demo_names_files_that_are_there_in_the_order_of_the_steps():
    parse("gin/demo.gin")
    steps, training = bound("progressive.steps"), bound("progressive.training")
    assert [pathlib.Path(s).stem for s in steps] == ["sparse", "dense_fusion", "attention"]
    assert all((ROOT / f).is_file() for f in (*steps, training))


def test_demo_data_fit_the_demo_space():
    parse("gin/demo/sparse.gin")
    space, dataset = bound("search.space"), VideoDataset()
    assert dataset.crop == space.resolution
    assert dataset.dense_frames == space.dense.frames and dataset.sparse_frames == space.sparse.frames


def test_every_published_architecture_loads():
    for name in genotype.archived():
        space = genotype.load(name)
        assert complexity(space).gmacs > 0, name
        assert genotype.loads(genotype.dumps(space)) == space, name


def test_settings_that_operations_names_are_settings():
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    bindings = sorted(set(re.findall(r"`([a-z_]+\.[a-z_]+ = [^`]+)`", text)))
    assert len(bindings) > 10
    gin.parse_config(bindings)
