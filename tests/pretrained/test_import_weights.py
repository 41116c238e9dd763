"""bin/import_weights.py: a run like any other, and checkpoints that are refused in one line."""

import json
import os
import zipfile

import numpy as np
import pytest

from tsnet_tf.data.demo_videos import write_video
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.space import genotype

ONE = {"a": np.ones(2, np.float32)}


def harm(opcodes, module="posix", name="system"):
    """A call that would leave a file behind."""
    return opcodes.called(f"{module}.{name}", opcodes.text("touch harm"))


def flags(tmp_path, *more):
    return [f"--checkpoint={tmp_path}/x3d.pyth", "--genotype=x3d_xs", f"--workdir={tmp_path}/run", *more]


HOSTILE = {
    "a call": (lambda o: o.zipped(o.dictionary({"a": harm(o)})), "found posix.system; nothing of it was run"),
    "a call in the older format": (lambda o: o.in_sequence(harm(o)), "found posix.system; nothing of it was run"),
    "a call before the magic number": (lambda o: o.pickled(harm(o)), "found posix.system; nothing of it was run"),
    "a call by name on the stack": (
        lambda o: o.zipped(o.text("builtins") + o.text("eval") + b"\x93" + o.several(o.text("1")) + b"R"),
        "found builtins.eval;",
    ),
    "a call of old": (lambda o: o.zipped(b"(" + o.text("touch harm") + b"iposix\nsystem\n"), "found posix.system;"),
    "an object": (
        lambda o: o.zipped(o.dictionary({"model": o.named("torch.nn.Linear") + b")\x81"})),
        "expected tensors and plain containers in '{file}', found torch.nn.Linear; nothing of it was run",
    ),
    "a whole module": (
        lambda o: o.in_sequence(o.several(o.text("module"), o.text("x"), o.text("x.py"), o.text("import os")) + b"Q"),
        "found a reference to something else than a storage;",
    ),
    "a name that moves the cursor": (lambda o: o.zipped(o.named("os.\x1b[2J\x07")), "found os.?[2J?;"),
    "attributes of the reader": (
        lambda o: o.zipped(o.named("torch._utils._rebuild_tensor_v2") + o.dictionary({"__code__": b"N"}) + b"b"),
        "expected tensors by name",
    ),
    "a memo of 32 GiB": (lambda o: o.zipped(o.whole(1) + b"r\xff\xff\xff\x7f"), "expected tensors by name"),
    "a tensor of 4 TB": (
        lambda o: o.zipped(
            o.dictionary({"a": o.tensor(o.storage("0", "Float", 2), (10**6, 10**6), (0, 0))}), [*ONE.values()]
        ),
        "expected a whole file of torch.save, found in '{file}': ValueError: storage 0 has too few numbers",
    ),
    "an archive of zeros": (
        lambda o: o.zipped(o.state(ONE), [np.zeros(10**6, np.float32)], zipfile.ZIP_DEFLATED),
        "ValueError: a zip archive that becomes larger",
    ),
    "a file outside of the archive": (
        lambda o: o.zipped(o.dictionary({"a": o.tensor(o.storage("../../x", "Float", 2), (2,), (1,))})),
        "no item named",
    ),
    "half a file": (
        lambda o: o.written(ONE)[:-60],
        "expected a whole file of torch.save, found in '{file}': BadZipFile",
    ),
    "numbers that are missing": (lambda o: o.written(ONE, True)[:-4], "storage 0 has too few numbers"),
    "nothing on the stack": (
        lambda o: o.zipped(b"R"),
        "expected a whole file of torch.save, found in '{file}': IndexError",
    ),
    "a text": (
        lambda o: b"<html>404</html>",
        "expected a whole file of torch.save, found in '{file}': ValueError: another kind",
    ),
    "nothing": (lambda o: b"", "expected a whole file of torch.save, found in '{file}': ValueError: another kind"),
    "an archive of something else": (lambda o: o.zipped(b"N").replace(b"data.pkl", b"data.txt"), "without data.pkl"),
    "no tensors": (lambda o: o.zipped(o.dictionary({"epoch": o.whole(3)})), "expected tensors by name in '{file}'"),
    "another model": (lambda o: o.written(ONE), "expected the weights of an X3D, found none that is called"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_checkpoint_is_one_line_and_leaves_nothing_behind(programs, opcodes, tmp_path, name):
    write, message = HOSTILE[name]
    (tmp_path / "x3d.pyth").write_bytes(write(opcodes))
    done = programs.run("import_weights.py", *flags(tmp_path), code=2, cwd=tmp_path)
    assert done.stderr.startswith("error: --checkpoint: ") and done.stderr.count("\n") == 1, done.stderr
    assert message.replace("{file}", str(tmp_path / "x3d.pyth")) in done.stderr and done.stderr[:-1].isprintable()
    assert os.listdir(tmp_path) == ["x3d.pyth"] and not done.stdout


@pytest.fixture(scope="module")
def imported(programs, opcodes, filled, state_of, tmp_path_factory):
    """A folder with a checkpoint of two classes and the run that was made of it."""
    folder = tmp_path_factory.mktemp("imported")
    space = genotype.load("x3d_xs")
    state = state_of(filled(TwoStreamModel(genotype.loads(genotype.dumps(space).replace('s": 400', 's": 2')))))
    (folder / "x3d.pyth").write_bytes(opcodes.written(state))
    (folder / "labels.json").write_text(json.dumps({'"light"': 1, "dark": 0}))
    programs.run("import_weights.py", *flags(folder, f"--labels={folder}/labels.json"))
    return folder


@pytest.mark.slow
def test_a_run_folder_like_any_other(programs, imported, bright_and_dark):
    run, output = imported / "run", imported / "saved_model"
    programs.run("export.py", f"--workdir={run}", f"--output={output}")  # no data set is there
    about = json.loads((output / "assets" / "metadata.json").read_text())
    assert about["genotype"]["name"] == "x3d_xs" and about["accuracy"] is None
    write_video(str(imported / "film.mp4"), np.random.default_rng(0).integers(0, 255, (60, 48, 64, 3)).astype(np.uint8))
    said = programs.run("predict.py", f"--saved_model={output}", f"--video={imported}/film.mp4").stdout
    assert "dark" in said and "light" in said
    sizes = ["VideoDataset.crop = 32", "VideoDataset.train_jitter = (32, 32)", "VideoDataset.test_short_side = 32"]
    small = [f"--gin_bindings={setting}" for setting in (f"data_dir = '{bright_and_dark}'", *sizes)]
    programs.run("evaluate.py", f"--workdir={run}", "--views=1-center", *small)
    evaluated = json.loads((run / "evaluation.json").read_text())
    assert evaluated["labels"] == ["dark", "light"] and evaluated["videos"] == 8
    programs.run("report.py", f"--workdir={run}")
    assert (run / "report.html").is_file()


def test_the_same_command_again_does_nothing(programs, imported):
    before = (imported / "run" / "summary.json").stat().st_mtime_ns
    done = programs.run("import_weights.py", *flags(imported, f"--labels={imported}/labels.json"))
    assert "already finished" in done.stdout and (imported / "run" / "summary.json").stat().st_mtime_ns == before
    done = programs.run("import_weights.py", *flags(imported), code=2)
    assert "expected the settings that" in done.stderr and done.stderr.count("\n") == 1
