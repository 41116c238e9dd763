"""What a run leaves behind, and how the next one picks it up.

A run folder holds ``config.gin`` (the settings in force), ``settings.json`` (those that were given), ``labels.json``,
``genotype.json``, ``checkpoints/``, TensorBoard events in ``events/``, ``metrics.jsonl`` and, written last,
``summary.json``: a run that has one is finished. A search also has ``space.json``, whose open choices are the rows of
``probabilities`` in ``metrics.jsonl``. Who works on it holds ``lock``.
"""

import fcntl
import itertools
import json
import os
import socket
import tempfile
from collections.abc import Mapping, Sequence

import gin
import keras
import tensorflow as tf

from tsnet_tf import atomic, console, paths
from tsnet_tf.errors import UserError
from tsnet_tf.models.inheritance import named_weights
from tsnet_tf.models.two_stream import TwoStreamModel
from tsnet_tf.space import genotype
from tsnet_tf.space.two_stream import Space

SUMMARY = "summary.json"
SETTINGS = "settings.json"
LOCK = "lock"
FINAL = "checkpoints/final"

_ONE_LINE = 10_000  # characters; gin breaks longer ones
_locked: dict[str, int] = {}  # run folders of this process, with the open files that hold their locks
_elsewhere: list[tempfile.TemporaryDirectory] = []  # of a worker that is not the chief


def summary_of(workdir: str) -> dict | None:
    """The summary of a finished run; None if there is none."""
    path = os.path.join(workdir, SUMMARY)
    return read_json(path) if tf.io.gfile.exists(path) else None


def finished(workdir: str) -> dict:
    """The summary of a finished run.

    Raises:
      UserError: there is none in ``workdir``.
    """
    summary = summary_of(workdir)
    if summary is None:
        found = "no such folder" if not tf.io.gfile.exists(workdir) else f"no {SUMMARY} in it"
        raise UserError(f"expected the folder of a finished run, found {found}: '{workdir}'")
    return summary


def read_json(path: str):
    """The contents of a JSON file, on any file system."""
    with tf.io.gfile.GFile(path) as file:
        return json.load(file)


def genotype_in(workdir: str) -> str:
    """The path of a finished run's genotype."""
    return os.path.join(workdir, "genotype.json")


def genotype_of(workdir: str) -> Space:
    """The genotype of a finished run."""
    with tf.io.gfile.GFile(genotype_in(workdir)) as file:
        return genotype.loads(file.read(), genotype_in(workdir))


@gin.configurable
def check_settings(
    workdir: str,
    flags: Mapping[str, str | None],
    *,
    without: Sequence[str] = (),
    may_differ: bool = False,
    anew: bool = False,
) -> bool:
    """Compares the settings that are given now with those that the run folder was made with, if it is there.

    Args:
      workdir: run folder.
      flags: flags that say what the run is about, with their values; gin's bindings are known anyway.
      without: configurables that such a run has nothing to do with; gin files are shared.
      may_differ: whether to go on with other settings. What is finished stays as it is.
      anew: whether to begin anew where they differ. The old folder is moved beside itself, to ``earlier/``.

    Returns:
      Whether the run is begun anew.

    Raises:
      UserError: they are not the same; the message lists every difference.
    """
    path = os.path.join(workdir, SETTINGS)
    if not tf.io.gfile.exists(path):
        return False
    before, now = (_about(settings, without) for settings in (read_json(path), _given_settings(flags)))
    found = "; ".join(
        f"{name} = {now.get(name, 'not set')} (was {before.get(name, 'not set')})"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    )
    if found and anew:
        console.say(f"begun anew, with {found}; what was in '{workdir}' is now in '{set_aside(workdir)}'")
        return True
    is_finished = summary_of(workdir) is not None
    if found and may_differ and is_finished:
        console.warn(f"'{workdir}' is finished and stays as it is; it was made with other settings, found {found}")
    if found and not may_differ:
        go_on = "" if is_finished else ', go on with these: --gin_bindings="check_settings.may_differ = True"'
        raise UserError(
            f"expected the settings that '{workdir}' was made with, found {found}. Choose another --workdir{go_on}, or "
            'begin anew, which keeps what is there: --gin_bindings="check_settings.anew = True"'
        )
    return False


def finished_before(
    workdir: str, title: str, flags: Mapping[str, str | None], *, without: Sequence[str] = ()
) -> dict | None:
    """How a run begins: the settings are those of the run folder (`check_settings`), and it may be finished.

    Returns:
      The summary if it is, which is said under ``title``; else None.
    """
    check_settings(workdir, flags, without=without)
    summary = summary_of(workdir)
    if summary is not None:
        console.say(f"{title}: already finished in {workdir}")
    return summary


def set_aside(workdir: str) -> str:
    """Moves a local run folder to the first ``earlier/NAME.N`` beside it that is free; returns where it is now.

    Raises:
      UserError: somebody works on it, or it is not local.
    """
    if "://" in workdir:
        raise UserError(f"check_settings.anew: expected a local run folder, found '{workdir}'; choose another")
    folder, name = os.path.split(os.path.abspath(workdir))
    places = (os.path.join(folder, "earlier", f"{name}.{number}") for number in itertools.count(1))
    place = next(place for place in places if not os.path.exists(place))
    _lock(workdir)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    held = _locked.pop(os.path.realpath(workdir))
    os.rename(workdir, place)
    os.close(held)
    return place


def start(workdir: str, strategy: tf.distribute.Strategy | None, flags: Mapping[str, str | None]) -> str:
    """Makes the run folder this process's own, until it ends, and notes the settings given (see `check_settings`).

    Locks are those of the operating system: they end with the process, however it ends. On ``s3://`` there are none.

    Returns:
      Where this process writes (see `own`).

    Raises:
      UserError: another process works on this run folder, or it cannot hold checkpoints, by its name or at all.
    """
    paths.check_no_pattern(workdir)
    if strategy is not None and not strategy.extended.should_checkpoint:
        return own(workdir, strategy)
    tf.io.gfile.makedirs(workdir)
    if "://" not in workdir:
        _lock(workdir)
    atomic.write_json(os.path.join(workdir, SETTINGS), _given_settings(flags))
    return workdir


def _lock(workdir: str) -> None:
    if os.path.realpath(workdir) not in _locked:
        file = os.open(os.path.join(workdir, LOCK), os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            found = os.read(file, 1000).decode() or "another process"
            os.close(file)
            raise UserError(f"expected a run folder that nobody works on, found {found} in '{workdir}'") from error
        except OSError as error:  # such as Lustre's, where it is mounted without
            console.warn(f"'{workdir}' cannot be locked ({error.strerror}): see that nobody else works on it")
        os.ftruncate(file, 0)
        os.pwrite(file, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        _locked[os.path.realpath(workdir)] = file


def own(workdir: str, strategy: tf.distribute.Strategy) -> str:
    """Where this process writes: the run folder; or, for workers but the chief, a temporary one that ends with it."""
    if strategy.extended.should_checkpoint:
        return workdir
    _elsewhere.append(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
    return _elsewhere[-1].name


def write_settings(workdir: str, labels: list[str]) -> str:
    """Writes the gin settings in force and the label map; returns the settings."""
    settings = gin.operative_config_str()
    atomic.write_text(os.path.join(workdir, "config.gin"), settings)
    atomic.write_json(os.path.join(workdir, "labels.json"), labels)
    return settings


def weights_checkpoint(model: keras.Model) -> tf.train.Checkpoint:
    """A checkpoint of every weight of ``model`` by name.

    TensorFlow's own walk through the model's attributes misses layers that stand in lists, without a word.
    """
    return tf.train.Checkpoint(weights={name: weight.value for name, weight in named_weights(model).items()})


def finish(workdir: str, model: keras.Model, summary: dict) -> None:
    """Writes the fixed model's weights and genotype, then the summary that marks the run as finished."""
    weights_checkpoint(model).write(os.path.join(workdir, FINAL))
    atomic.write_text(genotype_in(workdir), genotype.dumps(model.space))
    atomic.write_json(os.path.join(workdir, SUMMARY), summary)


def load_trained(workdir: str) -> tuple[TwoStreamModel, Space, list[str]]:
    """The fixed model of a finished run (a search step or a training), its genotype and its labels.

    Raises:
      UserError: there is no finished run in ``workdir``, or its files do not fit together.
    """
    paths.check_no_pattern(workdir)
    finished(workdir)
    space = genotype_of(workdir)
    labels = read_json(os.path.join(workdir, "labels.json"))
    if len(labels) != space.classes:
        raise UserError(
            f"expected a label for each of the genotype's {space.classes} classes in '{workdir}', found {len(labels)}"
        )
    model = TwoStreamModel(space)
    try:
        weights_checkpoint(model).read(os.path.join(workdir, FINAL)).assert_consumed()
    except (AssertionError, ValueError, tf.errors.OpError) as error:
        said = str(error).splitlines()[0]
        raise UserError(
            f"expected weights of the genotype in '{os.path.join(workdir, FINAL)}', found: {said}"
        ) from error
    return model, space, labels


def _given_settings(flags: Mapping[str, str | None]) -> dict[str, str]:
    """Name to value of every gin binding and flag, as text."""
    given = {f"--{name}": value for name, value in flags.items() if value is not None}
    for line in gin.config_str(max_line_length=_ONE_LINE).splitlines():
        name, equals, value = line.partition(" = ")
        if equals and not line.startswith("#"):
            given[name] = value
    return given


def _about(settings: Mapping[str, str], without: Sequence[str]) -> dict[str, str]:
    """Those that matter for a run that has nothing to do with ``without``, nor with what comes after it."""
    others = (*without, "check_settings", "progressive", "study", "evaluation")
    return {name: value for name, value in settings.items() if name.rpartition(".")[0].split(".")[-1] not in others}
