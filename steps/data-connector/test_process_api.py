"""Sentinel Hub's process API at its boundary: a stand-in as strict as the documentation makes one."""

import json

import numpy
import pytest

from range_server import RangeServer
from scenes import G, cog_bytes, item, modality, parameters, spec

GRID = {**G, "width": 2600, "height": 300}


class SentinelHub:
    """Answers what the request says: each band its own number, dataMask 0 in the first ten columns of the whole box."""

    def __init__(self) -> None:
        self.server, self.bodies, self.trouble = RangeServer(), [], []
        self.server.before = self.answer

    def answer(self, handler, path: str) -> bool:
        body = json.loads(handler.body)
        self.bodies.append(body)
        if self.trouble:
            handler.say(*self.trouble.pop(0))
            return True
        box, output = body["input"]["bounds"]["bbox"], body["output"]
        wrong = [
            path != "/api/v1/process", handler.headers["Content-Type"] != "application/json", max(output["width"], output["height"]) > 2500,
            body["input"]["bounds"]["properties"]["crs"] != "http://www.opengis.net/def/crs/EPSG/0/32631", "evalscript" not in body,
            (box[2] - box[0]) / output["width"] != 10, (box[3] - box[1]) / output["height"] != 10,
        ]
        if any(wrong):
            handler.say(400, json.dumps({"error": {"message": f"wrong: {wrong}"}}).encode())
            return True
        array = numpy.empty((3, output["height"], output["width"]), "uint16")
        array[0], array[1], array[2] = 700, 4, 1
        array[0, :, -1] = 0
        if box[0] == G["transform"][0]:
            array[2, :, :10] = 0
        handler.say(200, cog_bytes(array, (box[0], box[3]), driver="GTiff", nodata=None), Content_Type="image/tiff")
        return True

    def modality(self, **more) -> dict:
        body = {
            "input": {"bounds": {"bbox": [0, 0, 1, 1], "properties": {"crs": "http://www.opengis.net/def/crs/EPSG/0/32631"}}, "data": [{}]},
            "output": {"width": 2600, "height": 300, "responses": [{"identifier": "default", "format": {"type": "image/tiff"}}]},
            "evalscript": "//VERSION=3",
        }
        process = {"url": f"http://localhost:{self.server.port}/api/v1/process", "body": body}
        return modality([item("S2", {})], (spec("B02", scaling_factor=0.001), spec("SCL", class_band=True, model=False)), process=process, grid=GRID, **more)


@pytest.fixture
def hub():
    hub = SentinelHub()
    yield hub
    hub.server.close()


def test_the_box_is_made_of_tiles_and_the_data_mask_says_what_is_none(room, hub):
    ran = room.run("data-connector", parameters(hub.modality()))
    assert ran.result["status"] == "FINISHED", ran.log
    assert [body["output"]["width"] for body in hub.bodies] == [1300, 1300]
    blue, scl = ran.pixels("original_input_image")
    assert (blue[:, :10] == 0).all() and (scl[:, :10] == 0).all() and (scl[:, 10:] == 4).all()
    assert (blue[:, [1299, 2599]] == 1).all() and (blue[:, 10:1299] == 700).all()
    details = ran.result["details"]["modalities"][0]
    assert details["coverage"] == pytest.approx(2590 / 2600) and details["clear"] == 1.0
    imputed = ran.pixels("imputed_input_image")
    assert imputed.shape == (1, 300, 2600) and numpy.allclose(imputed[:, :, :10], 0.7)


def test_trouble_that_passes_is_asked_again_and_other_is_named(room, hub):
    hub.trouble = [(429, b"slow"), (503, b"busy")]
    ran = room.run("data-connector", parameters(hub.modality()))
    assert ran.result["status"] == "FINISHED" and len(hub.bodies) == 4
    for trouble, code in (((401, b""), "source.unauthorized"), ((400, b'{"error": "evalscript"}'), "source.refused"), ((200, b"<html>"), "source.not_raster")):
        hub.trouble = [trouble]
        assert room.run("data-connector", parameters(hub.modality())).error["code"] == code
    refused = room.run("data-connector", parameters(hub.modality(hosts=["sentinel-hub.com"])))
    assert refused.error["code"] == "source.forbidden_host"
