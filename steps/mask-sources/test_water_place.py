"""Where permanent water cannot be laid under a scene: said before anything is fetched."""

import numpy
import pytest
from rasterio.transform import from_origin


@pytest.mark.parametrize("west, code", [(0, "mask.outside"), (170, "mask.outside"), (-200, "mask.outside"), (-180, "source.forbidden_host")])
def test_longitudes_beyond_180_are_refused(room, west, code):
    room.tif("scene.tif", numpy.ones((1, 18, 36), "uint16"), crs="EPSG:4326", transform=from_origin(west, 90, 10, 10))
    room.artifacts = {"original_input_image": "scene.tif"}
    asked = {"mask_url": None, "land_url": None, "water_url": "http://127.0.0.1:1/water.tif", "max_bytes": 1_000_000, "allow_private_hosts": False}
    ran = room.run("mask-sources", asked)
    assert ran.error["code"] == code and (code != "mask.outside" or "scene.tif" in ran.error["message"])
