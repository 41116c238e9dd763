"""What a search, training or evaluation will want in the end is looked for before it begins: no model is made."""

import json

import pytest

from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.errors import UserError
from tsnet_tf.evaluation import evaluate
from tsnet_tf.search import step, task
from tsnet_tf.space.table1 import table1
from tsnet_tf.training import train


def no_model(*arguments, **settings):
    raise AssertionError("a model was made")


@pytest.fixture
def dataset(tmp_path, monkeypatch):
    """Training videos, and no others."""
    for module in (task, train):
        monkeypatch.setattr(module, "TwoStreamModel", no_model)
    (tmp_path / "labels.json").write_text(json.dumps(["run", "walk"]))
    (tmp_path / "train-00000-of-00001.tfrecord").touch()
    splits = {"train": {"videos": 4, "videos_per_shard": [4]}, "test": {"videos": 0, "videos_per_shard": []}}
    (tmp_path / "manifest.json").write_text(json.dumps({"splits": splits}))
    return VideoDataset(str(tmp_path))


def search(tmp_path, dataset, **settings):
    step.search(
        workdir=str(tmp_path / "run"), previous=None, name="sparse", space=table1(), streams=("sparse",),
        free=("sparse/*/channels",), target_gmacs=1.4, dataset=dataset, epochs=1, **settings,
    )  # fmt: skip


def test_search_without_validation_and_test_videos(tmp_path, dataset):
    said = (
        r"search.validation_splits, search.test_split: expected splits that '.*' has videos of \(train\), found "
        "'validation', 'test'"
    )
    with pytest.raises(UserError, match=said):
        search(tmp_path, dataset)
    with pytest.raises(UserError, match="search.test_split: expected splits"):
        search(tmp_path, dataset, validation_splits=("train",))
    assert not (tmp_path / "run").exists()


def test_search_with_views_that_are_none(tmp_path, dataset):
    with pytest.raises(UserError, match="views: expected CLIPS-center or .* found '1-middle'"):
        search(tmp_path, dataset, views="1-middle")


def test_training_without_its_videos(tmp_path, dataset):
    with pytest.raises(UserError, match="train.train_splits: expected splits .* found 'validation'"):
        train.train(
            workdir=str(tmp_path / "run"), genotype="x3d_s", dataset=dataset, epochs=1,
            train_splits=("train", "validation"),
        )  # fmt: skip
    assert not (tmp_path / "run").exists()


def test_evaluation_without_its_videos(tmp_path, dataset):
    given = (None, ["run", "walk"], dataset, None, str(tmp_path / "run"))
    with pytest.raises(UserError, match="--split: expected splits .* found 'test'"):
        evaluate.evaluation(*given)
    with pytest.raises(UserError, match="evaluation.precise_bn_splits: expected splits .* found 'validation'"):
        evaluate.evaluation(*given, split="train", precise_bn_batches=1, precise_bn_splits=("validation",))
