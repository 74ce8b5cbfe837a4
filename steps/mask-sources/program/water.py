"""Permanent water of the operator's: a raster, or the items of a STAC collection, on the scene's grid."""

import json
import os
from urllib.parse import urlencode, urljoin

import numpy

from geodag.fetch import fetch
from geodag.place import bbox_of, corners_of, degrees
from geodag.program import StepError
from geodag.raster import cog, on_grid, open_scene, read, windows

MOST_ITEMS = 100
EMPTY = 255


def write_water(job, scene, url: str) -> None:
    """Writes ``permanent_water.tif``: uint8, the values of the source, 255 outside it. Fails with ``mask.*``, ``source.*``."""
    if scene.crs is None:
        raise StepError("mask.no_place", "permanent_water_masking from PERMANENT_WATER needs a scene with a CRS")
    check_turn(scene)
    paths = _rasters(job, scene, url)
    with cog(job.write("permanent_water_image", "permanent_water.tif"), scene, 1, "uint8", EMPTY, ["permanent water"]) as target:
        for window in windows(scene, 1):
            rows, columns = int(window.height), int(window.width)
            out = numpy.full((rows, columns), EMPTY, "uint8")
            for path in paths:
                with open_scene(path, "mask") as raster, on_grid(raster, scene, "mask", fill=EMPTY) as placed:
                    values = read(placed, 1, window, "mask")
                out = numpy.where(out == EMPTY, values, out).astype("uint8")
            target.write(out, 1, window=window)
    for path in paths:
        os.remove(path)


def check_turn(scene) -> None:
    """Fails with ``mask.outside`` for longitudes beyond 180: a raster of water has none there, and would be laid beside them."""
    longitudes = [x for x, _ in corners_of(scene)]
    if scene.crs.is_geographic and max(map(abs, longitudes)) * degrees(scene.crs) > 180 + 1e-6:
        raise StepError(
            "mask.outside", f"permanent_water_masking: {os.path.basename(scene.name)} reaches from longitude {min(longitudes):.10g} to {max(longitudes):.10g}, "
            "the water lies between -180 and 180: shift the scene there with gdalwarp -te <west> <south> <east> <north>"
        )


def _get(job, url: str, name: str) -> str:
    path = os.path.join(job.outputs, name)
    fetch(url, path, job.parameters["max_bytes"], job.parameters["allow_private_hosts"], job.log)
    return path


def _rasters(job, scene, url: str) -> list[str]:
    """Paths of the rasters at ``url``: itself, or the assets of the items that meet the scene."""
    first = _get(job, url, "water-0.part")
    with open(first, "rb") as file:
        head = file.read(1)
    if head != b"{":
        return [first]
    with open(first, encoding="utf-8") as file:
        document = json.load(file)
    os.remove(first)
    if document.get("type") != "Collection":
        raise StepError("mask.not_raster", "PERMANENT_WATER is neither a GeoTIFF nor a STAC Collection: name one of them")
    return [_get(job, href, f"water-{n}.part") for n, href in enumerate(_hrefs(job, scene, url, document), 1)]


def _hrefs(job, scene, url: str, collection: dict) -> list[str]:
    """The data asset of each item over the scene, by the collection's own ``items`` link. Fails with ``mask.outside``."""
    box = bbox_of(scene)
    if box is None:
        raise StepError("mask.no_place", "permanent_water_masking needs to know where on the earth all of the scene lies: cut it to the earth")
    link = next((link["href"] for link in collection.get("links", []) if link.get("rel") == "items"), url.rstrip("/") + "/items")
    query = urlencode({"bbox": ",".join(f"{v:.6f}" for v in box), "limit": MOST_ITEMS})
    page = urljoin(url, link)
    path = _get(job, f"{page}{'&' if '?' in page else '?'}{query}", "items.part")
    with open(path, encoding="utf-8") as file:
        items = json.load(file).get("features", [])
    os.remove(path)
    if not items:
        raise StepError("mask.outside", f"{collection.get('id')} of PERMANENT_WATER has no item over the scene: name another collection")
    return [urljoin(page, _data(item)) for item in sorted(items, key=lambda item: item["id"])]


def _data(item: dict) -> str:
    rasters = [asset for asset in item["assets"].values() if "tiff" in asset.get("type", "") and "overview" not in asset.get("roles", [])]
    best = sorted(rasters, key=lambda asset: "data" not in asset.get("roles", []))
    if not best:
        raise StepError("mask.not_raster", f"item {item['id']} of PERMANENT_WATER has no GeoTIFF")
    return best[0]["href"]
