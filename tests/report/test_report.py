"""Report draws what is there, and says what is not."""

import json
import os

import pytest

from tsnet_tf.errors import UserError
from tsnet_tf.report.curves import read_metrics
from tsnet_tf.report.report import report
from tsnet_tf.space import genotype
from tsnet_tf.space.cost import smallest
from tsnet_tf.space.table1 import table1


def write_run(folder, started=0, with_genotype=True):
    folder.mkdir()
    (folder / "config.gin").write_text("seed = 0\n")
    os.utime(folder / "config.gin", (1e9 + started, 1e9 + started))
    if with_genotype:
        space = table1(name=folder.name, resolution=64, sparse_width=0.25, depths=((1,),) * 4, hidden=8, classes=4)
        (folder / "genotype.json").write_text(genotype.dumps(smallest(space)))
    rows = [
        {"step": s, "loss": 2.0 - s, "entropy": 9.0 - s, "expected_gmacs": 1.5, "target_gmacs": 1.4} for s in (0, 1)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def names(written):
    return {os.path.basename(path) for path in written if path.endswith(".png")}


def test_progressive_search_in_the_order_of_its_steps(tmp_path):
    for started, name in enumerate(("sparse", "attention", "a_last_training")):
        write_run(tmp_path / name, started)
    (tmp_path / "data").mkdir()
    written = report(str(tmp_path))
    steps = {f"architecture_{name}.png" for name in ("sparse", "attention", "a_last_training")}
    assert names(written) == steps | {"architecture.png", "curves.png"}
    # The last run's architecture is the final one.
    final = (tmp_path / "report" / "architecture.svg").read_text()
    assert final == (tmp_path / "report" / "architecture_a_last_training.svg").read_text()
    assert all(os.path.exists(path) for path in written)


def test_single_run(tmp_path):
    write_run(tmp_path / "run")
    assert names(report(str(tmp_path / "run"))) == {"architecture.png", "curves.png"}


def test_missing_parts_are_said(tmp_path, capsys):
    write_run(tmp_path / "sparse", with_genotype=False)
    assert names(report(str(tmp_path))) == {"curves.png"}
    assert "sparse has no genotype.json yet" in capsys.readouterr().err


def test_metrics_of_a_resumed_and_killed_run(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "loss": 3}\n{"step": 2, "loss": 9}\n{"step": 2, "loss": 2}\n{"step": 3, "lo')
    assert read_metrics(str(path)) == [{"step": 1, "loss": 3}, {"step": 2, "loss": 2}]


@pytest.mark.parametrize("exists", [True, False])
def test_folder_without_a_run_is_a_users_mistake(tmp_path, exists):
    folder = tmp_path if exists else tmp_path / "nothing"
    with pytest.raises(UserError, match="--workdir: expected a run folder"):
        report(str(folder))
