"""Gin files are read as gin reads them, from wherever a binary is started; mistakes are in ``test_errors.py``."""

import importlib
import inspect

import gin
import pytest

from tsnet_tf import configurables, reference, setting_mistakes, settings
from tsnet_tf.errors import UserError
from tsnet_tf.settings import Macro, Reference


@pytest.fixture(autouse=True)
def clean_gin():
    gin.clear_config()
    yield
    gin.clear_config()


def test_values_macros_and_references(tmp_path):
    (tmp_path / "a.gin").write_text(
        "seed = 3\n"
        "train:\n"
        "  epochs = 2\n"
        "  train_splits = (\n"
        "      'train',\n"
        "      'validation',\n"
        "  )\n"
        "search.seed = %seed\n"
        "search.space = @table1()\n"
    )
    found = settings.read([str(tmp_path / "a.gin")], ["seed = 4", " train.epochs = %seed "])
    assert [(b.name, b.value) for b in found.bindings] == [
        ("seed", 3),
        ("train.epochs", 2),
        ("train.train_splits", ("train", "validation")),
        ("search.seed", Macro("seed")),
        ("search.space", Reference("table1", called=True)),
        ("seed", 4),
        ("train.epochs", Macro("seed")),
    ]
    assert [b.where.rsplit("/")[-1] for b in found.bindings[:3]] == ["a.gin, line 1", "a.gin, line 3", "a.gin, line 4"]
    assert found.value("train.epochs") == 4 and found.value("train.train_splits") == ("train", "validation")
    assert found.value("search.space") is None and found.value("search.views") is None


def test_included_files_stand_where_they_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inner.gin").write_text("\ufeffseed = 2\n", encoding="utf-8")  # as some editors write it
    (tmp_path / "outer.gin").write_text("seed = 1\ninclude 'inner.gin'\nbatch_size = 3\ninclude 'gin/data/demo.gin'\n")
    found = settings.read(["outer.gin"])
    assert found.value("seed") == 2 and found.value("batch_size") == 3
    assert found.value("VideoDataset.directory") == "runs/demo/data"
    assert found.imports == ("tsnet_tf.data.video_dataset",)
    assert found.text.startswith("seed = 1\nseed = 2\n\nbatch_size = 3\n") and "include" not in found.text


def test_a_file_is_included_once_so_that_the_order_of_what_includes_it_is_all_the_same(tmp_path, monkeypatch):
    """But one that is named itself counts where it is named."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.gin").write_text("seed = 1\n")
    (tmp_path / "mine.gin").write_text("include 'base.gin'\nseed = 2\n")
    (tmp_path / "step.gin").write_text("include 'base.gin'\nbatch_size = 3\n")
    for files in (["mine.gin", "step.gin"], ["step.gin", "mine.gin"]):
        assert settings.read(files).value("seed") == 2
    assert settings.read(["mine.gin", "base.gin"]).value("seed") == 1


def test_files_are_looked_for_here_then_in_the_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert settings.find("gin/demo.gin") == str(settings.ROOT / "gin/demo.gin")
    (tmp_path / "gin").mkdir()
    (tmp_path / "gin" / "demo.gin").touch()
    assert settings.find("gin/demo.gin") == "gin/demo.gin"


def test_home_stands_in_file_names(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.gin").write_text("include '~/more.gin'\n")
    (tmp_path / "more.gin").write_text("seed = 7\n")
    assert settings.read(["~/mine.gin"]).value("seed") == 7


def test_files_that_include_each_other_are_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.gin").write_text("include 'b.gin'\n")
    (tmp_path / "b.gin").write_text("include 'a.gin'\n")
    with pytest.raises(UserError, match="expected gin files that do not include themselves, found 'a.gin' in 'b.gin'"):
        settings.read(["a.gin"])


def test_applied_settings_are_those_of_gin(tmp_path, monkeypatch):
    """Whatever they name is imported; and what the package has besides can still be."""
    monkeypatch.chdir(tmp_path)
    settings.apply(settings.read(["gin/demo/sparse.gin"], ["search.epochs = 7"]))
    assert gin.query_parameter("search.epochs") == 7 and gin.query_parameter("search.name") == "sparse"
    assert not gin.config_is_locked()


def test_what_gin_refuses_is_one_line():
    with pytest.raises(UserError, match="gin configuration: .*nobody"):
        settings.apply(settings.read([], ["import nobody.has.it", "search.epochs = 1"]))


def test_settings_of_a_run_come_first_and_may_have_strange_parts():
    run = settings.read([], under="data_dir = 'old'\nVideoDataset.directory = %data_dir\nsomebodys.part = 1\n")
    settings.apply(settings.read([], ["data_dir = 'new'"]), under=run)
    assert gin.query_parameter("%data_dir") == "new"


def test_strange_names_are_left_to_gin_where_strange_modules_are_imported():
    setting_mistakes.check(settings.read([], ["import my_own.optimizers", "my_optimizer.rate = 1"]))


def test_settings_of_what_a_binary_does_not_use_are_no_mistake():
    setting_mistakes.check(settings.read(["gin/train/scratch.gin", "gin/data/ssv2.gin"]), calls=["search", "train"][1:])


def test_scopes_modules_and_macros_written_out():
    said = ["a/train.epochs = 2", "tsnet_tf.training.train.train.epochs = 3", "x/macro.value = 4", "train.seed = %x"]
    setting_mistakes.check(settings.read([], said))
    with pytest.raises(UserError, match="expected a name that can be set, found 'testing.train.epochs'"):
        setting_mistakes.check(settings.read([], ["testing.train.epochs = 2"]))


def test_macro_may_be_used_by_what_is_in_force_beside():
    run = settings.read([], under="data_dir = 'a'\nVideoDataset.directory = %data_dir\n")
    given = settings.read([], ["data_dir = 'b'"])
    setting_mistakes.check(given, beside=[run])
    with pytest.raises(UserError, match="found 'data_dir', which none does"):
        setting_mistakes.check(given)


@pytest.mark.parametrize(
    "binding, said",
    [
        ("search.epochs = 'many'", "expected a number for search.epochs, found 'many'"),
        ("search.epochs = True", "expected a number for search.epochs, found True"),
        ("search.seed = 1.5", "expected a whole number for search.seed, found 1.5"),
        ("search.seed = %seed", "expected a whole number for search.seed, found 'one'"),
        ("search.target_gmacs = '1'", "expected a number or None for search.target_gmacs, found '1'"),
        ("search.target_gmacs = (1, 2)", r"expected a number or None for search.target_gmacs, found \(1, 2\)"),
        ("search.synchronized = 'False'", "expected True or False for search.synchronized, found 'False'"),
        ("search.free = 'sparse/*'", r"expected several values in brackets for search.free, found 'sparse/\*'"),
        (
            "strategy.devices = 'GPU:0'",
            "expected several values in brackets or None for strategy.devices, found 'GPU:0'",
        ),
        ("VideoDataset.directory = 3", "expected a text for VideoDataset.directory, found 3"),
    ],
)
def test_a_value_of_another_kind_is_refused(binding, said):
    unused = "VideoDataset.crop = %seed" if "%seed" not in binding else "VideoDataset.crop = 24"
    with pytest.raises(UserError, match=f"^--gin_bindings: {said}$"):
        setting_mistakes.check(settings.read([], ["seed = 'one'" if "%" in binding else "seed = 1", binding, unused]))


@pytest.mark.parametrize(
    "binding",
    [
        "search.epochs = 2",
        "search.epochs = 0.5",
        "search.target_gmacs = None",
        "search.synchronized = 1",
        "search.space = @table1()",
    ],
)
def test_a_value_of_the_right_kind_is_taken(binding):
    setting_mistakes.check(settings.read([], [binding]))


@pytest.mark.parametrize("path", sorted(str(path) for path in (settings.ROOT / "gin").rglob("*.gin")))
def test_gin_files_have_no_mistake_of_this_kind(path):
    """What one refers to and others set, as the data set of a step, is left open."""
    given = settings.read([path])
    for binding in given.in_force.values():
        setting_mistakes._check_kind(binding, [given])


def test_parts_get_the_bindings_that_mean_something_to_them():
    part = settings.read(["gin/demo/train.gin"])
    bindings = ["seed = 1", "data_dir = 'a'", "search.epochs = 3", "of_another = 2"]
    assert settings.used_by(part, bindings) == bindings[:3]


def test_what_is_read_out_of_the_source_is_what_gin_knows():
    known = configurables.known()
    assert {"search", "train", "progressive", "VideoDataset", "strategy", "joint", "table1", "space_file"} <= set(known)
    for name, found in known.items():
        importlib.import_module(found.module)
        made = gin.get_configurable(name)
        parameters = inspect.signature(made.__init__ if isinstance(made, type) else made).parameters.values()
        named = [p for p in parameters if p.name != "self" and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
        assert found.parameters == tuple(p.name for p in named), name
        assert set(found.needed) == {p.name for p in named if p.default in (p.empty, gin.REQUIRED)}, name
        assert set(found.required) == {p.name for p in named if p.default is gin.REQUIRED}, name


def test_the_page_of_all_settings_is_that_of_the_docstrings():
    """It has every setting that a person can set; made anew by python -m tsnet_tf.reference > docs/settings.md."""
    page = (settings.ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page == reference.page()
    for name in ("search.epochs", "table1.sparse_width", "progressive.target_gmacs", "VideoDataset.flip"):
        section = page.split(f"## {name.split('.')[0]}\n")[1].split("\n## ")[0]
        assert f"| `{name.split('.')[1]}` |" in section
