"""run-inference against a stand-in of vLLM that keeps its and TerraTorch's types (pooling_server.py)."""

import base64
import json
import os
import sys
import time

import numpy
import pytest
import rasterio

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "program")]

import inputs  # noqa: E402
from geodag.program import StepError  # noqa: E402
from pooling_server import Pooling, water  # noqa: E402


@pytest.fixture
def server():
    made = Pooling()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def scene(room):
    """Two bands of 70 x 90 pixels, stored times 10,000; the first 5 rows have no data."""
    y, x = numpy.mgrid[0:70, 0:90]
    pixels = numpy.stack([(x * 30 + y) % 3000, x + 1]).astype("uint16")
    pixels[:, :5] = 65535
    room.tif("a.tif", pixels, nodata=65535)
    assert room.fetch("a.tif", 2, 1e-4).error["code"] is None
    return pixels


BASE = {
    "model": "m-1", "data_format": "url", "out_data_format": "b64_json", "values": "auto", "timeout_seconds": 20,
    "pause_seconds": 0.05, "allow_private_hosts": True,
}  # fmt: skip


def ask(room, server, **more):
    return room.run("run-inference", {"url": server.url(), **BASE, **more})


def test_the_prediction_comes_back_as_classes_on_the_scene_s_grid(room, scene, server):
    ran = ask(room, server, date="2024-08-12")
    assert ran.error["code"] is None, ran.error
    expected = water(scene * 1e-4).astype("int16")
    expected[:5] = -1
    got = ran.pixels("model_output_image")[0]
    assert numpy.array_equal(got, expected)
    with rasterio.open(ran.path("model_output_image")) as made, rasterio.open(room.inputs / "a.tif") as source:
        assert (made.dtypes[0], made.nodata, made.crs, made.transform) == ("int16", -1, source.crs, source.transform)
    assert ran.result["details"]["values"] == "times_255"
    assert ran.result["details"]["classes"]["2"] == int((expected == 2).sum()) > 0
    # Without indices the plugin would take six bands; without a day in the URL it knows none.
    assert server.indices == [[0, 1]] and server.dates == ["20240812T000000"]


def test_numbers_stay_numbers_and_a_url_is_fetched(room, scene, server):
    server.out, server.predict = "url", lambda image: image[0].astype("float32")
    ran = ask(room, server, out_data_format="b64_json")
    assert ran.error["code"] is None, ran.error
    got = ran.pixels("model_output_image")[0]
    assert (got[:5] == -9999).all() and numpy.allclose(got[5:], scene[0, 5:] * 1e-4)


@pytest.mark.parametrize(("values", "classes"), [("classes", {"254": 1, "255": 1}), ("times_255", {"1": 1, "2": 1})])
def test_what_a_byte_says_can_be_said(room, scene, server, values, classes):
    ran = ask(room, server, values=values)
    assert set(classes) < set(ran.result["details"]["classes"])


def refuse(status, text="", **headers):
    return (status, {name.replace("_", "-"): value for name, value in headers.items()}, text.encode())


def test_what_may_pass_is_tried_again_and_says_why(room, scene, server):
    server.script = [refuse(503, "loading", Retry_After="0"), refuse(429), refuse(502)]
    ran = ask(room, server)
    assert ran.error["code"] is None and ran.result["details"]["tries"] == 4
    assert "try 1: model_url: 127.0.0.1 answered 503: loading" in ran.log
    server.script = [refuse(503)] * 9
    ran = ask(room, server)
    assert ran.error["code"] == "model.server_unreachable" and "(4 tries)" in ran.error["message"]
    assert len(server.script) == 5


@pytest.mark.parametrize(
    ("change", "status", "code", "word"),
    [
        ({"model": "other"}, None, "model.server_not_found", "The model `other` does not exist."),
        ({"data_format": "b64_json"}, None, "model.server_refused", "Input should be 'path' or 'url'"),
        ({"request": {"indices": "all"}}, None, "model.server_refused", "indices"),
        ({}, refuse(302, "", Location="http://127.0.0.1:1/"), "model.server_refused", "redirects"),
        ({}, refuse(413), "model.server_too_large", "413"),
        ({}, refuse(403, '{"detail":"no"}'), "model.server_unauthorized", "no"),
        ({}, refuse(200, "<html>"), "model.server_bad_answer", "--io-processor-plugin"),
        ({}, refuse(200, '{"data":[{"index":0}]}'), "model.server_bad_answer", "no prediction"),
        ({}, refuse(200, '{"data":{"data_format":"path","data":"/tmp/a.tiff"}}'), "model.server_bad_answer", "own machine"),
        ({}, refuse(200, '{"data":{"data_format":"b64_json","data":"%%"}}'), "model.server_bad_answer", "base64"),
        ({}, refuse(200, '{"data":{"data_format":"b64_json","data":"aGFsbG8="}}'), "model.server_bad_answer", "cannot be read"),
    ],
)  # fmt: skip
def test_what_will_not_pass_is_asked_once(room, scene, server, change, status, code, word):
    server.script = [status] if status else []
    ran = ask(room, server, **change)
    assert ran.error["code"] == code and word in ran.error["message"], ran.error
    assert len(server.asked) == 1
    assert not any(name.endswith(".part.tif") for name in os.listdir(ran.folder))


def test_a_500_that_stays_is_the_server_s_own_failure(room, scene, server):
    server.predict = lambda image: 1 / 0
    ran = ask(room, server)
    assert ran.error["code"] == "model.server_failed" and "ZeroDivisionError" in ran.error["message"]


def test_a_raster_that_does_not_lie_on_the_scene_is_refused(room, scene, server):
    server.predict = lambda image: water(image)[:-1]
    ran = ask(room, server)
    assert ran.error["code"] == "model.server_bad_answer" and "90 x 69" in ran.error["message"]


def test_a_server_that_is_silent_ends_by_the_time_limit(room, scene, server):
    server.script = [lambda handler: time.sleep(30)] * 2
    ran = ask(room, server, timeout_seconds=1)
    assert ran.error["code"] == "model.server_timeout" and "(2 tries)" in ran.error["message"]


def test_a_server_may_be_silent_for_longer_than_a_download(room, scene, server, monkeypatch):
    from geodag import connection

    # One second stands for the minute that a download may be silent.
    monkeypatch.setattr(connection, "IDLE_SECONDS", 1)
    from pooling import Server

    answer = json.dumps({"data": {"data_format": "url", "data": "x"}}).encode()
    server.script = [lambda handler: (time.sleep(2), handler._send(200, answer))]
    asked = Server(server.url(), inputs.Secrets(), True, time.monotonic() + 20, print)
    assert asked.predict("m", {}, 10, 0.1, 1000)["data"] == "x" and asked.tries == 1


def test_an_answer_beyond_what_a_scene_can_have_and_one_that_breaks_off(room, scene, server):
    from pooling import Server

    asked = Server(server.url(), inputs.Secrets(), True, time.monotonic() + 20, print)
    server.script = [refuse(200, "x" * 2000)]
    with pytest.raises(StepError) as failure:
        asked.predict("m", {}, 5, 0.01, 1000)
    assert failure.value.code == "model.server_bad_answer" and len(server.asked) == 1
    server.script = [lambda handler: handler._send(200, b"{}", {"Content-Length": "99"})] * 9
    with pytest.raises(StepError) as failure:
        asked.predict("m", {"data": 1}, 1, 0.01, 1000)
    assert failure.value.code == "model.server_unreachable" and "broke off" in str(failure.value), failure.value


@pytest.mark.parametrize("url", ["http://127.0.0.1/pooling", "http://169.254.169.254/latest", "http://[::1]/", "http://10.0.0.1:22/"])
def test_a_private_address_is_not_asked(room, scene, server, url):
    ran = ask(room, server, url=url, allow_private_hosts=False)
    assert ran.error["code"] == "model.server_forbidden", ran.error


def test_a_prediction_s_url_may_not_lead_inside_either(room, scene, server):
    import prediction

    with pytest.raises(StepError) as failure:
        prediction.save({"data_format": "url", "data": server.url("/made.tif").replace(str(server.server_port), "80")},
                        "/nonexistent", {"allow_private_hosts": False}, 10, print)  # fmt: skip
    assert failure.value.code == "model.server_forbidden"


def test_signed_urls_several_inputs_and_the_token(room, scene, server, tmp_path, monkeypatch):
    store = Pooling()
    secret = tmp_path / "server.json"
    names = ["model_input_S2_20240812T000000.tif", "model_input_S1_20240812T000000.tif"]
    signed = {name: {"put": store.url(f"/b/{name}?X-Amz-Date=20250101T000000Z"), "get": store.url(f"/b/{name}?X-Amz-Date=1")} for name in names}
    secret.write_text(json.dumps({"uploads": signed, "tokens": {server.url("")[:]: "t0ken"}}))
    monkeypatch.setattr(inputs, "FILE", str(secret))
    secrets = inputs.Secrets()
    assert secrets.token(server.url()) == "t0ken" and secrets.token("http://127.0.0.1:1/") == ""
    file = str(room.inputs / room.artifacts["imputed_input_image"])
    given = [inputs.Given("S2", file, 2), inputs.Given("S1", file, 2)]
    p = {"data_format": "url", "out_data_format": "b64_json", "uploads": names}
    said: list[str] = []
    data = inputs.request_data(given, p, secrets, time.monotonic() + 10, said.append)
    assert list(data["data"]) == ["S2", "S1"] and data["data"]["S2"] == signed[names[0]]["get"]
    assert store.files[f"/b/{names[0]}"] == open(file, "rb").read()
    assert "X-Amz" not in "".join(said)
    server.key = "t0ken"
    from pooling import Server

    answer = Server(server.url(), secrets, True, time.monotonic() + 20, print).predict("m-1", data, 10, 0.1, 10_000_000)
    assert base64.b64decode(answer["data"])[:2] == b"II" and server.dates == ["20240812T000000"] * 2
    with pytest.raises(StepError) as failure:
        monkeypatch.setattr(inputs, "FILE", "/nonexistent")
        inputs.request_data(given, p, inputs.Secrets(), time.monotonic() + 10, print)
    assert failure.value.code == "model.server_needs_store"
    store.shutdown()


def test_a_store_that_refuses_is_named(room, scene, server, tmp_path, monkeypatch):
    server.script = []
    secret = tmp_path / "server.json"
    secret.write_text(json.dumps({"uploads": {"a.tif": {"put": "http://127.0.0.1:1/a", "get": "http://127.0.0.1:1/a"}}}))
    monkeypatch.setattr(inputs, "FILE", str(secret))
    given = [inputs.Given(None, str(room.inputs / "a.tif"), 2)]
    with pytest.raises(StepError) as failure:
        inputs.request_data(given, {"data_format": "url", "out_data_format": "b64_json", "uploads": ["a.tif"]}, inputs.Secrets(), time.monotonic() + 5, print)
    assert failure.value.code == "model.server_store"
