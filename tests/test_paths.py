"""Paths: homes are filled in, patterns refused, and what could not be written is told before it is wanted."""

import os
import pathlib
import pwd
import re

import pytest

from tsnet_tf import paths
from tsnet_tf.errors import UserError

NOBODY = 65534
BIN = pathlib.Path(__file__).resolve().parents[1] / "bin"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    return str(tmp_path)


def test_home_is_filled_in(home):
    assert paths.expanded("~/data") == f"{home}/data"
    assert paths.expanded("~") == home


def test_home_of_a_user_is_filled_in():
    user = pwd.getpwuid(os.getuid())
    assert paths.expanded(f"~{user.pw_name}/data") == os.path.join(user.pw_dir, "data")


def test_what_is_no_home_stays():
    for path in ("data", "/data", "./~data", "data/~", "s3://bucket/~data", "a~"):
        assert paths.expanded(path) == path


@pytest.mark.parametrize("binary", sorted(path.name for path in BIN.glob("*.py")))
def test_every_flag_for_a_path_fills_homes_in(binary):
    """Flags of text are names and numbers; a path is defined as one (`cli.DEFINE_path`)."""
    texts = re.findall(r"flags\.DEFINE_(?:multi_)?string\(\s*\"(\w+)\"", (BIN / binary).read_text(encoding="utf-8"))
    assert set(texts) <= {"part", "views", "split", "groups", "beam_options"}


def test_home_of_nobody_is_refused():
    with pytest.raises(UserError, match="expected ~USER with a user of this machine, found '~nobody_at_all/x'"):
        paths.expanded("~nobody_at_all/x")


@pytest.mark.parametrize("path", ["[exp 1] lr=0.1", "runs/[a]/b", "a*", "a?/b", "a\\b", "b]"])
def test_patterns_are_refused(path):
    with pytest.raises(UserError, match=r"expected a path without \[ \] \* \? \\ .*; rename it"):
        paths.check_no_pattern(path)


def test_what_is_no_pattern_is_not():
    for path in ("runs/a b", "{a,b}", "ä'b", "a:b#c%d@e$f", "s3://bucket/run"):
        paths.check_no_pattern(path)


def test_what_can_be_written_is_left_as_it_was(tmp_path):
    (tmp_path / "file").write_text("x")
    for path in ("new", "new/below/it", "file", "."):
        paths.check_can_be_written(str(tmp_path / path), "--output")
    paths.check_can_be_written("s3://bucket/nobody/knows", "--output")
    assert os.listdir(tmp_path) == ["file"] and (tmp_path / "file").read_text() == "x"


@pytest.mark.parametrize("path", ["file/new", "link/new"])
def test_what_is_below_no_folder_cannot_be_written(tmp_path, path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(UserError, match=f"--output: expected a path that can be written, found '.*{path}': N"):
        paths.check_can_be_written(str(tmp_path / path), "--output")


def test_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="--workdir: expected a folder, found a file at '.*file'"):
        paths.check_folder_can_be_written(str(tmp_path / "file"), "--workdir")


@pytest.fixture
def unprivileged(tmp_path):
    """A folder that nobody may write to, and this process as one who may not."""
    folder = tmp_path / "others"
    folder.mkdir()
    (folder / "file").write_text("x")
    root = os.geteuid() == 0
    for path, mode in ((folder / "file", 0o444), (folder, 0o555)):
        path.chmod(mode)
    changed = []
    for parent in folder.parents:  # pytest's folders are the owner's alone
        if root and not parent.stat().st_mode & 0o001:
            changed.append((parent, parent.stat().st_mode))
            parent.chmod(parent.stat().st_mode | 0o001)
    if root:
        os.seteuid(NOBODY)
    yield folder
    if root:
        os.seteuid(0)
    for parent, mode in changed:
        parent.chmod(mode)
    folder.chmod(0o755)


@pytest.mark.parametrize("path", ["", "new", "new/below/it", "file"])
def test_what_is_somebody_elses_cannot_be_written(unprivileged, path):
    with pytest.raises(UserError, match="--output: expected a .* that can be written"):
        paths.check_can_be_written(str(unprivileged / path), "--output")
