"""Each kind of model that people bring: what it takes, what it gives, and that the map is the right one."""

import numpy
import pytest
from onnx_graphs import FREE, graph, one
from onnx_scenes import Scene, noise


def test_one_channel_of_logits_is_water_above_nought(tmp_path):
    x = noise(1, 20, 30)
    assert numpy.array_equal(Scene(tmp_path, x).prediction(one("Identity"), tile=16), (x > 0).astype("int16"))


@pytest.mark.parametrize("block, least", [({}, 0.5), ({"threshold": 0.8}, 0.8)])
def test_one_channel_after_a_sigmoid_is_water_above_a_half(tmp_path, block, least):
    x = noise(1, 20, 30)
    model = graph([("Sigmoid", ["x"], ["p"], {}), ("Identity", ["p"], ["y"], {})])
    made = Scene(tmp_path, x).prediction(model, tile=16, **block)
    assert numpy.array_equal(made, (1 / (1 + numpy.exp(-x)) > least).astype("int16"))


def test_activation_sigmoid_counts_as_one_of_the_graph(tmp_path):
    x = noise(1, 20, 30)
    details, made = Scene(tmp_path, x).run(one("Identity"), tile=16, activation="sigmoid", threshold=0.3)
    wanted = 1 / (1 + numpy.exp(-x)) > 0.3
    assert numpy.array_equal(made["model_output_image"], wanted.astype("int16"))
    assert details["classes"] == {"0": int((~wanted).sum()), "1": int(wanted.sum())}


def test_softmax_over_one_channel_is_refused(tmp_path):
    assert Scene(tmp_path, noise(1, 20, 20)).failure(one("Identity"), tile=16, activation="softmax").code == "model.bad_output"


@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("cast", [False, True])
def test_class_numbers_are_taken_as_they_are(tmp_path, keep, cast):
    x = noise(5, 41, 53)
    nodes = [("ArgMax", ["x"], ["k"], {"axis": 1, "keepdims": keep}), ("Cast", ["k"], ["y"], {"to": 1 if cast else 7})]
    model = graph(nodes, out_dtype="FLOAT" if cast else "INT64")
    made = Scene(tmp_path, x).prediction(model, tile=16, overlap=7, blend="ramp")
    assert numpy.array_equal(made[0], x.argmax(axis=0))


def test_a_logit_that_is_no_number_is_no_class(tmp_path):
    x = noise(3, 20, 30)
    x[1, 4, 5] = numpy.nan
    scene = Scene(tmp_path, x)
    details, made = scene.run(one("Identity"), tile=16)
    wanted = x.argmax(axis=0)
    wanted[4, 5] = -1
    assert numpy.array_equal(made["model_output_image"][0], wanted) and details["nan_pixels"] == 1
    assert "1 pixels got no number" in scene.log


@pytest.mark.parametrize("scores, label", [
    ([numpy.inf, numpy.inf, 0], -1),
    ([-numpy.inf] * 3, -1),
    ([-numpy.inf, numpy.inf, 0], 1),
    ([-numpy.inf, 1e9, 0], 1),
])
def test_infinity_is_a_score_where_it_is_the_only_one(tmp_path, scores, label):
    x = noise(3, 20, 30)
    # The graph itself makes them, at one place: what a file holds would be no data.
    spot = numpy.zeros((1, 3, 20, 30), "float32")
    spot[0, :, 4, 5] = scores
    model = graph([("Add", ["x", "spot"], ["y"], {})], {"x": ["n", 3, 20, 30]}, FREE, {"spot": spot})
    wanted = x.argmax(axis=0)
    wanted[4, 5] = label
    assert numpy.array_equal(Scene(tmp_path, x).prediction(model, tile=[20, 30])[0], wanted)


def test_more_classes_than_the_raster_can_hold_are_refused(tmp_path):
    axes = numpy.array([1, 40_000, 1, 1], "int64")
    model = graph([("Tile", ["x", "times"], ["y"], {})], constants={"times": axes})
    failure = Scene(tmp_path, noise(1, 8, 8)).failure(model, tile=8)
    assert failure.code == "model.bad_output" and "40000 classes" in str(failure)


def test_a_model_that_gives_no_number_at_all_fails(tmp_path):
    scene = Scene(tmp_path, noise(2, 20, 20) * 1e6)
    assert scene.failure(graph([("Sub", ["x", "x"], ["y"], {})], dtype="FLOAT16"), tile=16, task="regression").code == "model.bad_output"


def test_a_fixed_batch_and_tile_are_the_graphs(tmp_path):
    x = noise(2, 37, 70)
    scene = Scene(tmp_path, x)
    details, made = scene.run(one("Identity", [4, 2, 24, 16]), tile=20, batch=16, task="regression")
    assert numpy.allclose(made["model_output_image"], x) and details["batch"] == 4
    assert "windows of 24 x 16, not of 20 x 20" in scene.log


def test_dates_are_read_time_major(tmp_path):
    x = noise(6, 20, 30)  # t0b0 t0b1 t1b0 t1b1 t2b0 t2b1
    model = graph([("Gather", ["x", "t"], ["y"], {"axis": 2})], {"x": ["n", "c", 3, "h", "w"]}, FREE, {"t": 1})
    made = Scene(tmp_path, x).prediction(model, tile=16, task="regression", mean=[1.0, 2.0], std=[1.0, 4.0])
    assert numpy.allclose(made, (x[2:4] - [[[1]], [[2]]]) / [[[1]], [[4]]], atol=1e-6)


def test_bands_that_are_no_whole_dates_are_refused(tmp_path):
    model = graph([("Gather", ["x", "t"], ["y"], {"axis": 2})], {"x": ["n", "c", 3, "h", "w"]}, FREE, {"t": 1})
    failure = Scene(tmp_path, noise(5, 20, 20)).failure(model, tile=16)
    assert failure.code == "model.bad_input" and "5 bands" in str(failure)


def test_half_floats_go_in_and_out(tmp_path):
    x = noise(2, 20, 30)
    made = Scene(tmp_path, x).prediction(one("Identity", dtype="FLOAT16"), tile=16, task="regression")
    assert numpy.array_equal(made, x.astype("float16").astype("float32"))


@pytest.mark.parametrize("block", [{}, {"channels_last": True}])
def test_channels_may_be_last(tmp_path, block):
    x = noise(3, 20, 30)
    made = Scene(tmp_path, x).prediction(one("Identity", ["n", 16, 16, 3]), task="regression", **block)
    assert numpy.array_equal(made, x)


def test_several_inputs_are_fed_by_name(tmp_path):
    s2, s1 = noise(2, 20, 30), noise(2, 20, 30) + 5
    scene = Scene(tmp_path, s2)
    scene.add("imputed_input_image:S2L2A", "scene_imputed.tif", s2)
    scene.add("imputed_input_image:S1GRD", "s1_imputed.tif", s1)
    model = graph([("Sub", ["s1_grd", "s2_l2a"], ["y"], {})], {"s1_grd": FREE, "s2_l2a": FREE})
    assert numpy.allclose(scene.prediction(model, tile=16, task="regression"), s1 - s2, atol=1e-6)
    block = [{"name": "S2L2A", "select": [1]}, {"name": "S1GRD", "select": [0], "scale": 2, "mean": [1], "std": [4]}]
    model = graph([("Sub", ["S1GRD", "S2L2A"], ["y"], {})], {"S1GRD": FREE, "S2L2A": FREE})
    made = scene.prediction(model, tile=16, task="regression", inputs=block, blend="mean")
    assert numpy.allclose(made, (s1[:1] * 2 - 1) / 4 - s2[1:], atol=1e-6)


def test_inputs_that_no_modality_has_are_named(tmp_path):
    model = graph([("Sub", ["S1GRD", "DEM"], ["y"], {})], {"S1GRD": FREE, "DEM": FREE})
    failure = Scene(tmp_path, noise(2, 20, 30)).failure(model, tile=16)
    assert failure.code == "model.bad_input" and "S1GRD, DEM" in str(failure)


def test_what_the_scene_lacks_is_what_the_model_was_trained_with(tmp_path):
    x = noise(2, 20, 30, 1, 9)
    scene = Scene(tmp_path, x)
    raw = numpy.concatenate([x[1:], x[:1], x[:1]])
    raw[1, 3, 4] = -1  # band 0 of the model input
    raw[0, 8, 9] = numpy.nan
    scene.add("original_input_image", "scene.tif", raw, nodata=-1)
    made = scene.prediction(one("Identity"), tile=16, task="regression", no_data_replace=0.5, source_bands=[[1, 0]])
    x[0, 3, 4] = x[1, 8, 9] = 0.5
    assert numpy.array_equal(made, x)


def test_one_answer_for_the_whole_scene(tmp_path):
    x = noise(4, 20, 30)
    x[2] += 9
    model = graph([("GlobalAveragePool", ["x"], ["m"], {}), ("Flatten", ["m"], ["y"], {})], output=["n", "c"])
    assert (Scene(tmp_path, x).prediction(model, task="classification") == 2).all()


def test_one_answer_for_each_window_where_the_graph_fixes_it(tmp_path):
    x = noise(2, 16, 40)
    x[1, :, 16:32] += 9
    x[0, :, 32:] += 9
    model = graph([("GlobalAveragePool", ["x"], ["m"], {}), ("Flatten", ["m"], ["y"], {})], {"x": [1, 2, 16, 16]}, [1, 2])
    made = Scene(tmp_path, x).prediction(model, task="classification")
    assert (made[0, :, 16:24] == 1).all() and (made[0, :, 32:] == 0).all()


def test_an_answer_a_window_is_no_map(tmp_path):
    model = graph([("GlobalAveragePool", ["x"], ["m"], {}), ("Flatten", ["m"], ["y"], {})], output=["n", "c"])
    failure = Scene(tmp_path, noise(2, 20, 20)).failure(model, tile=16)
    assert failure.code == "model.bad_output" and "classification" in str(failure)


def test_probabilities_and_logits_beside_the_prediction(tmp_path):
    x = noise(3, 20, 30)
    valid = numpy.ones((20, 30), bool)
    valid[2, 2] = False
    scene = Scene(tmp_path, x, valid)
    _, made = scene.run(one("Identity"), tile=16, output_on_inference=["prediction", "probabilities", "logits"])
    e = numpy.exp(x)
    wanted = numpy.where(valid, e / e.sum(axis=0), -9999)
    assert numpy.allclose(made["model_output_probabilities"], wanted, atol=1e-6)
    assert numpy.array_equal(made["model_output_logits"], numpy.where(valid, x, -9999))
    assert numpy.array_equal(made["model_output_image"][0], numpy.where(valid, x.argmax(axis=0), -1))


def test_time_and_place_are_inputs(tmp_path):
    nodes = [("ReduceSum", ["temporal_coords", "axes"], ["t"], {"keepdims": 0}), ("ReduceSum", ["location_coords", "last"], ["l"], {"keepdims": 0}),
             ("Add", ["t", "l"], ["s"], {}), ("Reshape", ["s", "shape"], ["r"], {}), ("Add", ["x", "r"], ["y"], {})]  # fmt: skip
    inputs = {"x": FREE, "temporal_coords": ["n", 1, 2], "location_coords": ["n", 2]}
    model = graph(nodes, inputs, FREE, {"axes": [1, 2], "last": [1], "shape": [-1, 1, 1, 1]})
    scene = Scene(tmp_path, numpy.zeros((1, 16, 16)))
    block = {"tile": 16, "task": "regression", "coords": ["temporal_coords", "location_coords"]}
    made = scene.prediction(model, dates=["2024-02-01"], **block)
    assert abs(made[0, 0, 0] - (2024 + 31 + 40.6 - 3)) < 0.1  # EPSG:32630, 4500000 north: 40.65 N, 3 W
    assert scene.failure(model, **block).code == "model.no_date"
