import csv
import hashlib
import json
import os

import pytest
import tensorflow as tf

from tsnet_tf.data import annotations as annotation_files
from tsnet_tf.data import earlier, held_out, prepare, schema, shards
from tsnet_tf.data.annotations import Annotation
from tsnet_tf.data.video_dataset import VideoDataset
from tsnet_tf.errors import UserError


@pytest.fixture
def videos(tmp_path, write_video):
    """Five good videos, a damaged and a missing one."""
    folder = tmp_path / "videos"
    annotations = []
    for number in range(5):
        write_video(folder / f"{number}.mp4", frames=10 + number)
        annotations.append(
            Annotation(f"{number}.mp4", "walk" if number % 2 else "run", "train" if number < 4 else "test")
        )
    (folder / "damaged.mp4").write_bytes(b"\0" * 1000)
    annotations += [Annotation("damaged.mp4", "walk", "train"), Annotation("missing.mp4", "run", "test")]
    return str(folder), annotations


def _contents(folder):
    return {name: (folder / name).read_bytes() for name in sorted(os.listdir(folder))}


def test_videos_become_records_and_bad_ones_are_counted_and_listed(tmp_path, videos, capsys):
    folder, annotations = videos
    output = tmp_path / "data"
    prepare.prepare(annotations, str(output), prepare.Options(folder, short_side=24, shards=2))
    assert sorted(os.listdir(output)) == [
        "labels.json",
        "manifest.json",
        "rejects.csv",
        "test-00000-of-00002.tfrecord",
        "test-00001-of-00002.tfrecord",
        "train-00000-of-00002.tfrecord",
        "train-00001-of-00002.tfrecord",
    ]
    assert json.loads((output / "labels.json").read_text()) == ["run", "walk"]
    manifest = json.loads((output / "manifest.json").read_text())
    train = manifest["splits"]["train"]
    assert (train["videos"], train["frames"], train["classes"]) == (4, 10 + 11 + 12 + 13, {"run": 2, "walk": 2})
    assert sum(train["videos_per_shard"]) == 4 and manifest["splits"]["test"]["videos"] == 1
    assert manifest["rejected"] == {"total": 2, "train": {"walk": 1}, "validation": {}, "test": {"run": 1}}
    assert manifest["options"]["short_side"] == 24 and "tensorflow" in manifest["versions"]
    assert manifest["labels"] == ["run", "walk"]
    contents = [(output / f"train-0000{index}-of-00002.tfrecord").read_bytes() for index in range(2)]
    assert train["sha256_per_shard"] == [hashlib.sha256(content).hexdigest() for content in contents]
    assert train["bytes"] == sum(map(len, contents))
    with open(output / "rejects.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == ["damaged.mp4", "missing.mp4"]
    assert rows[0]["reason"].startswith("cannot be opened") and rows[1]["reason"] == "is missing"
    warning = capsys.readouterr().err.splitlines()
    assert len(warning) == 1 and warning[0].startswith("warning: 2 of 7 videos left out, see ")

    dataset = VideoDataset(str(output), crop=16, train_jitter=(24, 24), test_short_side=24)
    found = {}
    for path, count in dataset.shards(["train", "test"]):
        records = list(tf.data.TFRecordDataset(path))
        assert len(records) == count
        for record in records:
            context = tf.train.SequenceExample.FromString(record.numpy()).context.feature
            frames, label, _ = schema.parse_video(record)
            assert tf.io.decode_jpeg(frames[0]).shape == (24, 32, 3)
            found[context["clip/media_id"].bytes_list.value[0].decode()] = (len(frames), int(label))
    assert found == {"0.mp4": (10, 0), "1.mp4": (11, 1), "2.mp4": (12, 0), "3.mp4": (13, 1), "4.mp4": (14, 0)}


def test_equal_input_gives_equal_bytes_in_any_order_and_a_complete_output_is_reused(tmp_path, videos, said):
    folder, annotations = videos
    options = prepare.Options(folder, short_side=24)
    prepare.prepare(annotations, str(tmp_path / "one"), options)
    prepare.prepare(annotations[::-1], str(tmp_path / "two"), options)
    assert _contents(tmp_path / "one") == _contents(tmp_path / "two")

    prepare.prepare(annotations, str(tmp_path / "one"), options)
    assert "one is complete, reused (2 left out, see" in said[-1]
    with pytest.raises(UserError, match="expected .* records of the same annotations and options, found .*: 24"):
        prepare.prepare(annotations, str(tmp_path / "one"), prepare.Options(folder, short_side=32))
    with pytest.raises(UserError, match="expected .* records of the same annotations"):
        prepare.prepare(annotations[:-1], str(tmp_path / "one"), options)


def test_a_video_that_was_missing_and_is_there_now_is_told(tmp_path, videos, write_video):
    folder, annotations = videos
    options = prepare.Options(folder, short_side=24)
    prepare.prepare(annotations, str(tmp_path / "data"), options)
    write_video(os.path.join(folder, "missing.mp4"))
    with pytest.raises(UserError, match="the videos that '.*' was made of, found 1 .* such as 'missing.mp4'"):
        prepare.prepare(annotations, str(tmp_path / "data"), options)


def test_without_a_usable_video_nothing_is_left(tmp_path, videos):
    folder, annotations = videos
    with pytest.raises(
        UserError, match=r"expected at least one usable video in .*, found none among 2; .*'damaged.mp4'"
    ):
        prepare.prepare(annotations[-2:], str(tmp_path / "data"), prepare.Options(folder))
    assert os.listdir(tmp_path) == ["videos"]


def test_a_folder_of_something_else_is_left_alone(tmp_path, videos):
    folder, annotations = videos
    with pytest.raises(UserError, match="expected a new folder or prepared records, found other files"):
        prepare.prepare(annotations, folder, prepare.Options(folder))


def test_an_output_that_could_not_get_its_name_is_refused_before_anything_is_decoded(tmp_path, videos):
    folder, annotations = videos
    (tmp_path / "file").write_text("")
    (tmp_path / "broken").symlink_to("gone")
    for output, message in (
        (tmp_path / "file", "expected a new folder, found a file, or a disk itself, at '.*file'"),
        (tmp_path / "broken", "expected a new folder, found a file, or a disk itself, at '.*broken'"),
        (tmp_path / "file" / "data", "expected a folder that can be made, found: .*/file"),
    ):
        with pytest.raises(UserError, match=f"--output: {message}"):
            prepare.prepare(annotations, str(output), prepare.Options(folder))
    assert sorted(os.listdir(tmp_path)) == ["broken", "file", "videos"]


def test_a_link_to_an_empty_folder_is_filled(tmp_path, videos):
    folder, annotations = videos
    (tmp_path / "disk" / "data").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "data")
    prepare.prepare(annotations, str(tmp_path / "link"), prepare.Options(folder, short_side=24))
    assert (tmp_path / "link").is_symlink() and (tmp_path / "disk" / "data" / "manifest.json").exists()


def test_a_stopped_run_goes_on_with_the_missing_shards(tmp_path, videos, monkeypatch):
    folder, annotations = videos
    options = prepare.Options(folder, short_side=24, shards=2)
    prepare.prepare(annotations, str(tmp_path / "whole"), options)

    def write_first_shard_and_stop(plan, folder, options, labels, _):
        indices = {label: index for index, label in enumerate(labels)}
        shards.write_shard(
            plan[0], folder, options.videos, indices, options.short_side, options.jpeg_quality, options.limits
        )
        raise KeyboardInterrupt

    output = tmp_path / "data"
    with monkeypatch.context() as patch:
        patch.setattr(prepare, "_run_pipeline", write_first_shard_and_stop)
        with pytest.raises(KeyboardInterrupt):
            prepare.prepare(annotations, str(output), options)
    assert not output.exists()
    with pytest.raises(UserError, match="begun with the same .*, found '.*data.partial' begun with others"):
        prepare.prepare(annotations[1:], str(output), options)
    first = tmp_path / "data.partial" / "train-00000-of-00002.tfrecord"
    written_at = first.stat().st_mtime_ns
    (tmp_path / "data.partial" / "labels.json.0.tmp").write_text("of a worker that was killed")
    prepare.prepare(annotations, str(output), options)
    assert (output / first.name).stat().st_mtime_ns == written_at
    assert _contents(output) == _contents(tmp_path / "whole")
    assert not (tmp_path / "data.partial").exists()


def test_progress_counts_videos(tmp_path, videos, said):
    folder, annotations = videos
    prepare.prepare(annotations, str(tmp_path / "data"), prepare.Options(folder, short_side=24))
    assert "prepare: 7/7, done" in said


def test_shards_are_of_equal_size_and_hold_every_video_once():
    annotations = [Annotation(f"{n // 50}/{n}.mp4", str(n // 50), "train") for n in range(200)]
    plan = shards.plan_shards(annotations, 3)
    assert [shard.name for shard in plan][0] == "train-00000-of-00003.tfrecord"
    assert [len(shard.annotations) for shard in plan] == [66, 67, 67]
    assert sorted(a for shard in plan for a in shard.annotations) == sorted(annotations)
    assert plan == shards.plan_shards(annotations[::-1], 3)
    for shard in plan:  # 4 classes of 50: about 17 of each in a shard
        assert all(5 < sum(a.label == label for a in shard.annotations) < 29 for label in "0123")


@pytest.mark.parametrize("videos, count", [(1, 1), (32, 1), (33, 2), (100_000, 1024)])
def test_the_number_of_shards_follows_that_of_the_videos(videos, count):
    plan = shards.plan_shards([Annotation(str(n), "a", "test") for n in range(videos)], None)
    assert len(plan) == plan[0].count == count


def test_a_bad_beam_option_is_an_error(tmp_path, videos):
    folder, annotations = videos
    with pytest.raises(UserError, match="--beam_options: expected options of a Beam runner, found: .*NoSuchRunner"):
        prepare.prepare(
            annotations, str(tmp_path / "data"), prepare.Options(folder), beam_options="--runner=NoSuchRunner"
        )


def test_labels_given_beforehand_decide_the_indices(tmp_path, videos):
    folder, annotations = videos
    prepare.prepare(
        annotations[:2], str(tmp_path / "data"), prepare.Options(folder, short_side=24), labels=["walk", "run"]
    )
    record = next(iter(tf.data.TFRecordDataset(str(tmp_path / "data" / "train-00000-of-00001.tfrecord")))).numpy()
    context = tf.train.SequenceExample.FromString(record).context.feature
    label = context["clip/label/text"].bytes_list.value[0].decode()
    assert context["clip/label/index"].int64_list.value == [["walk", "run"].index(label)]
    assert annotation_files.read_labels(str(tmp_path / "data" / "labels.json")) == ["walk", "run"]


def test_chosen_classes_are_the_label_map_and_are_saved(tmp_path, videos):
    folder, annotations = videos
    prepare.prepare(annotations, str(tmp_path / "listed"), prepare.Options(folder, short_side=24), classes=["walk"])
    manifest = json.loads((tmp_path / "listed" / "manifest.json").read_text())
    assert manifest["labels"] == ["walk"] and manifest["splits"]["train"]["classes"] == {"walk": 2}
    assert manifest["rejected"]["total"] == 1  # the damaged one; the missing one is of another class

    options = prepare.Options(folder, short_side=24, random_classes=1, class_seed=3)
    prepare.prepare(annotations, str(tmp_path / "drawn"), options)
    manifest = json.loads((tmp_path / "drawn" / "manifest.json").read_text())
    assert manifest["labels"] == annotation_files.draw_classes(annotations, 1, 3)
    assert (manifest["options"]["random_classes"], manifest["options"]["class_seed"]) == (1, 3)


def _names_and_labels(folder):
    """Name to the index and the text of the label, and the split, of all records; none is there twice."""
    found = {}
    for path in sorted(folder.glob("*.tfrecord")):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            context = tf.train.SequenceExample.FromString(record).context.feature
            name, label = (context[key].bytes_list.value[0].decode() for key in ("clip/media_id", "clip/label/text"))
            assert name not in found
            found[name] = (context["clip/label/index"].int64_list.value[0], label, path.name.split("-")[0])
    return found


def test_videos_are_added_and_what_was_there_stays(tmp_path, videos, write_video, monkeypatch, said):
    folder, annotations = videos
    options = prepare.Options(folder, short_side=24, shards=2)
    prepare.prepare(annotations, str(tmp_path / "data"), options)
    old = _names_and_labels(tmp_path / "data")
    write_video(tmp_path / "videos" / "missing.mp4", frames=9)
    write_video(tmp_path / "videos" / "new.mp4", frames=8)
    more = [*annotations, Annotation("new.mp4", "jump", "train")]  # sorted before the others, and yet the last label
    decoded = []
    opened = shards.decode.open_video
    monkeypatch.setattr(
        shards.decode,
        "open_video",
        lambda path, **settings: decoded.append(os.path.basename(path)) or opened(path, **settings),
    )
    prepare.prepare(more, str(tmp_path / "larger"), options, earlier=earlier.read(str(tmp_path / "data")))

    assert sorted(decoded) == ["damaged.mp4", "missing.mp4", "new.mp4"]
    found = _names_and_labels(tmp_path / "larger")
    added = {"new.mp4": (2, "jump", "train"), "missing.mp4": (0, "run", "test")}
    assert found == {**old, **added}
    assert json.loads((tmp_path / "larger" / "labels.json").read_text()) == ["run", "walk", "jump"]
    manifest = json.loads((tmp_path / "larger" / "manifest.json").read_text())
    assert manifest["splits"]["train"]["classes"] == {"jump": 1, "run": 2, "walk": 2}
    assert manifest["splits"]["train"]["frames"] == 10 + 11 + 12 + 13 + 8
    assert manifest["rejected"]["total"] == 1
    for split, of_split in manifest["splits"].items():
        paths = sorted((tmp_path / "larger").glob(f"{split}-*.tfrecord"))
        assert [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths] == of_split["sha256_per_shard"]
        assert len(of_split["videos_per_shard"]) == len(paths)
    dataset = VideoDataset(str(tmp_path / "larger"), crop=16, train_jitter=(24, 24), test_short_side=24)
    assert sum(count for _, count in dataset.shards(["train", "test"])) == 7
    assert said[-1] == f"prepare: 7 videos of 3 classes in {tmp_path / 'larger'}, 2 more than in {tmp_path / 'data'}"

    prepare.prepare(more, str(tmp_path / "larger"), options, earlier=earlier.read(str(tmp_path / "data")))
    assert "is complete, reused" in said[-1]


@pytest.mark.parametrize(
    "change, options, message",
    [
        (lambda a: a[:4], {}, "expected videos that are not in '.*data' yet, found none"),
        (
            lambda a: [Annotation("0.mp4", "run", "test"), Annotation("new.mp4", "run", "train")],
            {},
            "found '0.mp4' as 'run' in test, there as 'run' in train",
        ),
        (lambda a: [Annotation("new.mp4", "run", "train")], {"short_side": 32}, "expected --short_side=24, as in"),
        (lambda a: [Annotation("0.mp4", "run", "train")], {"videos": "/elsewhere"}, "expected new names for videos of"),
    ],
)
def test_what_does_not_go_with_the_records_is_not_added(tmp_path, videos, change, options, message):
    folder, annotations = videos
    prepare.prepare(annotations, str(tmp_path / "data"), prepare.Options(folder, short_side=24))
    options = prepare.Options(**{"videos": folder, "short_side": 24, **options})
    with pytest.raises(UserError, match=message):
        prepare.prepare(
            change(annotations), str(tmp_path / "larger"), options, earlier=earlier.read(str(tmp_path / "data"))
        )
    assert not [name for name in os.listdir(tmp_path) if name.startswith("larger")]


def test_records_that_have_changed_are_not_added_to(tmp_path, videos, write_video):
    folder, annotations = videos
    options = prepare.Options(folder, short_side=24)
    prepare.prepare(annotations, str(tmp_path / "data"), options)
    before = earlier.read(str(tmp_path / "data"))
    with open(tmp_path / "data" / "train-00000-of-00001.tfrecord", "ab") as file:
        file.write(b"more")
    write_video(tmp_path / "videos" / "new.mp4", frames=8)
    new = [Annotation("new.mp4", "run", "train")]
    with pytest.raises(UserError, match="expected the records that manifest.json describes, found others in"):
        prepare.prepare(new, str(tmp_path / "larger"), options, earlier=before)
    assert not (tmp_path / "larger").exists()
    with pytest.raises(UserError, match="expected prepared records, found no manifest.json in"):
        earlier.read(str(tmp_path))


def test_drawn_splits_stand_when_videos_are_added():
    videos, group_of = [(f"film{n // 2}_{n}.mp4", "a") for n in range(60)], held_out.group_by(r"(film\d+)_")
    held = held_out.hold_out(videos[:19], 0, group_of)  # one more of the tenth film comes later
    after = held_out.hold_out(videos, 0, group_of, held)
    assert set(held) < set(after) and len(after) == 60
    of_groups = {}
    for annotation in after:
        assert of_groups.setdefault(group_of(annotation.path), annotation.split) == annotation.split
    assert [sum(a.split == split for a in after) for split in ("validation", "test")] == [6, 6]
