"""Measured latency as a cost model: every operation is there, sums are scaled, other tables are refused."""

import itertools
import json

import numpy as np
import pytest
import tensorflow as tf

from tsnet_tf.errors import UserError
from tsnet_tf.search import latency
from tsnet_tf.search.cost_tables import CostTables
from tsnet_tf.space.blueprint import blueprint
from tsnet_tf.space.cost import smallest
from tsnet_tf.space.table1 import table1
from tsnet_tf.space.two_stream import choices, only, restrict, values_of

TINY = {"sparse_width": 0.125, "dense_width": 0.25, "depths": ((1,), (1,)), "resolution": 16, "hidden": 8, "classes": 3}


def space_with(*free):
    space = table1(sparse_frames=2, dense_frames=4, **TINY)
    return restrict(space, free, values_of(smallest(space)))


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A space whose channels, fusion and attention are open, and the file with its table."""
    space = space_with("sparse/s1/g1/channels", "sparse/s2/g1/fusion", "sparse/s2/g1/attention")
    patch = pytest.MonkeyPatch()
    patch.setattr(latency, "WHOLE_MODELS", 1)
    table = latency.measure(space)
    patch.undo()
    path = tmp_path_factory.mktemp("latency") / "table.json"
    path.write_text(json.dumps(table))
    return space, table, str(path)


def test_every_distinct_operation_is_measured_once(measured):
    space, table, path = measured
    distinct = {op for part in blueprint(space) for selected in part.table.values for op in selected}
    assert len(table["pieces"]) == len(distinct)
    cost = latency.cost_model(path).cost
    assert all(cost(op) > 0 for op in distinct)


def test_names_in_the_file_stay_so_that_older_tables_are_read(measured):
    block = "frames size stride before channels inner squeezed temporal_kernel spatial_kernel"
    names = {
        "Stem": "frames size channels temporal_kernel",
        "Block": block,
        "Fusion": "frames size ratio dense sparse kind",
        "Attention": "frames size channels nodes",
        "Head": "frames size channels width hidden",
        "Classifier": "hidden classes",
    }
    found = {kind: set(fields) for kind, fields, _ in measured[1]["pieces"]}
    assert found == {kind: set(said.split()) for kind, said in names.items()}


def test_sums_are_scaled_to_whole_models(measured):
    space, table, path = measured
    [whole] = table["whole_models"]
    assert table["scale"] == pytest.approx(whole["measured"] / whole["summed"])
    tables = CostTables(space, latency.cost_model(path))
    sizes = [len(c.values) for c in choices(space)]
    every = np.array(list(itertools.product(*map(range, sizes))), np.int32)
    assert np.isclose(tables.of(tf.constant(every)), whole["measured"], rtol=1e-4).any()


def test_what_is_added_costs_more(measured):
    """With attention and a fusion a model takes longer than without; by the table, not by a clock."""
    space, _, path = measured
    tables = CostTables(space, latency.cost_model(path))
    none = [0 for _ in choices(space)]
    # The width stays: of a few channels more or less, a clock cannot tell which is faster.
    all_on = [0 if c.kind == "channels" else len(c.values) - 1 for c in choices(space)]
    less, more = tables.of(tf.constant([none, all_on], tf.int32)).numpy()
    assert more > less


def test_a_table_of_another_space_is_refused(measured):
    other = only(space_with("sparse/s1/g1/channels", "sparse/s1/g1/expansion"), ("sparse",))
    with pytest.raises(UserError, match="expected a table of the searched space, found none for Block"):
        CostTables(other, latency.cost_model(measured[2]))


@pytest.mark.parametrize("text", ["{", "[]", '{"pieces": []}', '{"scale": 1, "pieces": [["Blok", {}, 1]]}'])
def test_a_broken_table_is_refused(tmp_path, text):
    path = tmp_path / "table.json"
    path.write_text(text)
    with pytest.raises(UserError, match="expected a latency table, found"):
        latency.cost_model(str(path))
    with pytest.raises(UserError, match="expected the file of 'bin/benchmark.py latency', found nothing at"):
        latency.cost_model(str(tmp_path / "gone.json"))
