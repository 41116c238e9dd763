"""Who takes part in a study, rows that several processes share, and the tables that come of them."""

import fcntl
import json

import numpy as np
import pytest

from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.errors import UserError
from tsnet_tf.space.cost import complexity
from tsnet_tf.space.table1 import table1
from tsnet_tf.study import rows, study, tables
from tsnet_tf.study.candidates import random_architectures

DEMO = {"resolution": 24, "sparse_frames": 2, "dense_frames": 16, "sparse_width": 0.25, "depths": ((1,), (1,))}
DEMO |= {"hidden": 16, "classes": 4, "attention_stages": (2,)}


def test_n_random_architectures_are_n_within_the_budget():
    """Uniform draws hit it once in a hundred or thousand; what is called best of 65 must be of 65."""
    drawn = random_architectures(table1(**DEMO), 0.012, 65, seed=0)
    assert len({str(one.genotype.streams) for one in drawn}) == len({one.name for one in drawn}) == 65
    costs = [complexity(one.genotype).gmacs for one in drawn]
    assert 0.97 * 0.012 <= min(costs) and max(costs) <= 0.012
    again = random_architectures(table1(**DEMO), 0.012, 65, seed=0)
    assert [one.genotype for one in again] == [one.genotype for one in drawn]
    assert random_architectures(table1(**DEMO), 0.012, 1, seed=1)[0].genotype != drawn[0].genotype


def row(name, origin, seed, top1, loss, gmacs=0.01, score=None):
    right = "1" * round(10 * top1) + "0" * round(10 * (1 - top1))
    return {
        "name": name, "origin": origin, "search_seed": 0 if origin == "found" else None, "seed": seed, "gmacs": gmacs,
        "params_m": 0.3, "top1": top1, "log_loss": loss, "supernet_score": score, "processor_seconds": 60.0,
        "curve": [[10, 3.0], [20, loss]], "right": right, "losses": [loss] * 10,
        "genotype": {"name": name, "notes": []},
    }  # fmt: skip


ROWS = [
    row("found_0", "found", 0, 0.9, 0.3),
    row("found_0", "found", 1, 0.8, 0.5),
    row("hand", "hand", 0, 0.7, 0.9),
    row("single_dense_frames", "single", 0, 0.6, 1.0),
    *(row(f"random_{n}", "random", 0, top1, 1 - top1, score=top1) for n, top1 in enumerate((0.5, 0.7, 0.9))),
]


def test_rows_are_files_that_a_lock_claims(tmp_path):
    with rows.claimed(str(tmp_path), "a-0") as ours:
        assert ours
        with rows.claimed(str(tmp_path), "a-0") as ours_too:
            assert not ours_too  # another process would be told the same
    with open(tmp_path / "claims" / "b-0", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with rows.claimed(str(tmp_path), "b-0") as ours:
            assert not ours
    rows.write(str(tmp_path), "b-0", {"x": 2, "genotype": {"name": "b", "notes": ["found"], "classes": 3}})
    rows.write(str(tmp_path), "a-0", {"x": 1, "genotype": {"name": "a", "notes": [], "classes": 2}})
    assert rows.is_there(str(tmp_path), "a-0") and not rows.is_there(str(tmp_path), "c-0")
    scores = {rows.key({"name": "another", "notes": [], "classes": 3}): -1.5}
    collected = rows.collect(str(tmp_path), scores)
    assert [(row["x"], row["supernet_score"]) for row in collected] == [(1, None), (2, -1.5)]
    assert collected == [json.loads(line) for line in (tmp_path / "study.jsonl").read_text().splitlines()]


def test_differences_by_hand():
    """Of the seed that both sides have, 0."""
    title, columns, lines = tables.differences(ROWS)
    found = {(line[0], line[1]): float(line[2]) for line in lines}
    assert found["found less hand-made", "log-loss"] == pytest.approx(0.3 - 0.9)
    assert found["found less hand-made", "top-1 points"] == pytest.approx(90 - 70)
    assert found["found less random, mean", "log-loss"] == pytest.approx(0.3 - 0.3, abs=1e-3)
    assert found["found less single_dense_frames", "top-1 points"] == pytest.approx(90 - 60)
    assert found["found among the random ones", "top-1, part below"] == pytest.approx(2 / 3, abs=0.01)


def test_summary_and_correlations_by_hand():
    lines = {line[0]: line for line in tables.summary(ROWS)[2]}
    assert list(lines) == ["found", "hand", "single_dense_frames", "random"]
    assert lines["found"][1:3] == ["1", "2"] and lines["found"][5] == "85.0"
    assert lines["found"][7] == "7.1"  # of 90 and 80
    assert lines["random"][5:7] == ["70.0", "50.0 to 90.0"]
    predictors = tables.correlations(ROWS)[2]
    assert predictors[:2] == [["supernet's score", "1.00", "0.33"], ["training loss half way", "nan", "nan"]]
    ending = [{**one, "curve": [[5, 3.0], [15, one["log_loss"]], [20, 1.0]]} for one in ROWS]  # half way: at step 10
    assert tables.correlations(ending)[2][1] == ["training loss half way", "1.00", "0.33"]


def test_the_hand_made_architecture_is_compared_with_chance_without_a_search():
    lines = tables.differences([row for row in ROWS if row["origin"] in ("hand", "random")])[2]
    assert [line[:3] for line in lines] == [
        ["hand-made less random", "log-loss", f"{0.9 - 0.3:+.3f}"],
        ["hand-made less random", "top-1 points", f"{70 - 70:+.3f}"],
    ]


@pytest.mark.parametrize("line", ["not JSON", "[1]", '{"origin": "hand"}'])
def test_what_is_no_row_is_told(tmp_path, line):
    (tmp_path / "rows.jsonl").write_text(f"{json.dumps(ROWS[0])}\n{line}\n")
    with pytest.raises(UserError, match="expected a row of a study in line 2 of"):
        rows.read(str(tmp_path / "rows.jsonl"))


def test_the_tables_of_rows_that_are_there_are_made_without_a_training(programs, tmp_path):
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in ROWS))
    programs.run("study.py", f"--rows={tmp_path}/rows.jsonl", f"--workdir={tmp_path}/tables")
    assert "| found less hand-made | log-loss | -0.600 |" in (tmp_path / "tables" / "study.md").read_text()


def test_what_is_shown_is_also_written(tmp_path):
    tables.show(ROWS, str(tmp_path))
    text = (tmp_path / "study.md").read_text()
    assert "| found less hand-made | log-loss | -0.600 |" in text and text.count("**") == 6
    assert {path.name for path in tmp_path.iterdir()} == {
        "study.md",
        "study.png",
        "study.svg",
        "study_dark.png",
        "study_dark.svg",
    }


def study_of(folder, *, splits=("train", "test"), **settings):
    """A study of the records in ``folder``, which have videos of these splits."""
    (folder / "labels.json").write_text(json.dumps(["run", "walk", "sit", "jump"]))
    for split in splits:
        (folder / f"{split}-00000-of-00001.tfrecord").touch()
    found = {split: {"videos": 4, "videos_per_shard": [4]} for split in splits}
    (folder / "manifest.json").write_text(json.dumps({"splits": found}))
    return study.study(
        workdir=str(folder / "run"), data="ours", space=table1(**DEMO), target_gmacs=0.012,
        dataset=VideoDataset(str(folder)), random=0, seeds=(0,), **settings,
    )  # fmt: skip


@pytest.mark.parametrize(
    "settings, said",
    [
        (
            {"splits": ("train", "validation")},
            "study.dataset: expected splits .* \\(train, validation\\), found 'test'",
        ),
        ({"views": "10-middle"}, "views: expected CLIPS-center or .* found '10-middle'"),
        ({"searches": ["~nobody_at_all/run"]}, "expected ~USER with a user of this machine"),
        ({"searches": ["gone"]}, "expected the folder of a finished run, found no such folder: 'gone'"),
    ],
)
def test_what_a_study_will_want_is_looked_for_before_anything_is_trained(tmp_path, monkeypatch, settings, said):
    trained = []
    monkeypatch.setattr(study, "train", lambda **given: trained.append(given))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=said):
        study_of(tmp_path, **settings)
    assert not trained and not (tmp_path / "run").exists()


def test_views_in_the_papers_spelling_are_read_as_they_were_written(tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(study, "_row", lambda *of_candidate: given.append(of_candidate[-1]) or ROWS[0])
    study_of(tmp_path, views="10-Center")
    assert set(given) == {"10-center"}


def test_a_row_is_json():
    assert json.loads(json.dumps(ROWS[0])) == ROWS[0] and np.isfinite(ROWS[0]["log_loss"])
