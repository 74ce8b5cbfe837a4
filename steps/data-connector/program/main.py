"""data-connector: frozen items of a catalogue in; per modality one GeoTIFF of the day and its model input out.

Writes ``[<task>_]<modality>[_<date>][_<suffix>].tif``: COG on the plan's grid, bands in the order asked,
values as the catalogue's row says (Sentinel-2: harmonised DN, uint16, nodata 0), and
``..._imputed[_<suffix>].tif``: float32, scaled, decibels where asked, nodata filled; ``valid.tif``.
Nothing is searched here: same items, same grid, same bytes.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
import time

import numpy
import rasterio
from rasterio.warp import transform_bounds

import process_api
from clip import Clip
from cover import cover_of
from fuse import Canvas, Reading, Wider, fuse, like, owner_raster, stack_dtype
from geodag.access import Access, secret_of
from geodag.gaps import Source
from geodag.impute import model_input
from geodag.program import StepError, run
from geodag.ranges import RangeClient
from geodag.raster import cog
from items import Grid, bounds_of
from values import nodata_of

# GDAL's share of memory for decoded blocks, all threads together; a block row of a Sentinel-2 tile is 22 MB.
CACHE_MEGABYTES = 32
# Below the time that the frame gives a program, so that the end has a name of its own.
MAX_SECONDS = 1700


def stem_of(job, modality: dict, kind: str = "") -> str:
    """File stem: task, modality, day, ``kind``, suffix; what is unknown is left out."""
    parts = (job.parameters["task_id"], modality["name"], modality["date"], kind, modality["file_suffix"])
    return "_".join(part for part in parts if part)


def keep(job, key: str, modality: dict, name: str) -> str:
    """The path of an artifact: by its plain key for the first modality, with its modality's name where there are several."""
    modalities = job.parameters["modalities"]
    if len(modalities) > 1:
        job.write(f"{key}:{modality['name']}", name)
    return job.write(key, name) if modality is modalities[0] else os.path.join(job.outputs, name)


def tags_of(modality: dict) -> dict:
    """What the file itself says of where its pixels are from; no href, no time, no token."""
    items = [{"id": item["id"], "datetime": item["datetime"]} for item in modality["items"]]
    return {
        "radiometry": modality["radiometry"], "collection": modality["collection"],
        "items": json.dumps(items, separators=(",", ":")), "resampling": modality["resampling"],
    }  # fmt: skip


def read_modality(job, client, modality: dict, clip: Clip | None, folder: str) -> dict:
    """Writes the scene of one modality; what is to be said of it. Fails with ``source.*``."""
    grid = Grid(modality["grid"])
    reading = None if modality["process"] else Reading(client, modality, job.log)
    tiles = process_api.fetch_tiles(client, modality, grid, folder, job.log) if modality["process"] else None
    dtype = process_api.stack_dtype(tiles) if tiles else stack_dtype(reading)
    path = keep(job, "original_input_image", modality, f"{stem_of(job, modality)}.tif")
    names = [band["band_name"] for band in modality["bands"]]

    def painted(dtype: numpy.dtype) -> tuple[float, float | None]:
        target = cog(path, like(grid), len(names), str(dtype), nodata_of(dtype), names, tags_of(modality), interleave="band")
        with target as stack, owner_raster(os.path.join(folder, "owner.tif"), grid) as owner:
            canvas = Canvas(stack, owner, grid, clip)
            if tiles:
                process_api.paint(tiles, modality, canvas)
            else:
                fuse(reading, canvas, job.parameters["threads"])
            return cover_of(canvas, clip, names)

    while True:
        try:
            coverage, clear = painted(dtype)
            break
        except Wider as wider:  # each time a wider one, and float32 holds all
            job.log(f"an item's file holds more than {dtype} does: begun anew with {wider.dtype}")
            dtype = wider.dtype
    if coverage == 0:
        raise StepError("source.all_nodata", f"no item of {modality['name']} has a valid pixel here: choose another date or place")
    return {"path": path, "coverage": coverage, "clear": clear, "warnings": reading.warnings if reading else []}


class Units:
    """From the scene's values to the model's: decibels where asked, then the spec's factor and offset."""

    def __init__(self, modality: dict, bands: list[tuple[int, dict]]) -> None:
        decibels = modality["transform"] == "to_decibels"
        self._decibels = [decibels and position < 2 for position, _ in bands]
        self._bands = [band for _, band in bands]

    def apply(self, position: int, values):
        """``values`` float32 of the band at ``position`` of the model input."""
        band = self._bands[position]
        if self._decibels[position]:
            values = 10 * numpy.log10(values)
        scaled = values * numpy.float32(band["scaling_factor"])
        return scaled + numpy.float32(band["offset"]) if band["offset"] else scaled


def impute(job, modality: dict, path: str) -> int:
    """Writes the model input of one scene; the pixels filled. Fails with ``source.all_nodata``."""
    bands = [(position, band) for position, band in enumerate(modality["bands"]) if band["model"]]
    first = modality is job.parameters["modalities"][0]
    with rasterio.open(path, driver="GTiff") as scene:
        return model_input(
            Source(scene, [position + 1 for position, _ in bands]), [band["band_name"] for _, band in bands], Units(modality, bands).apply,
            keep(job, "imputed_input_image", modality, f"{stem_of(job, modality, 'imputed')}.tif"),
            os.path.join(job.outputs, "valid.tif") if first else None, f"{stem_of(job, modality)}.tif",
            tags_of(modality), [n for n, (_, band) in enumerate(bands) if band["class_band"]],
        )


def peak_memory() -> int:
    """Most bytes that this process held: the high water mark of proc(5), which begins with its own program."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024


def name_classes(modality: dict) -> None:
    """A band that an item calls a class band is one, whatever the plan says."""
    for band in modality["bands"]:
        band["class_band"] |= any(item["bands"][band["band_name"]]["class_band"] for item in modality["items"] if band["band_name"] in item["bands"])


def main(job) -> None:
    p = job.parameters
    deadline = time.monotonic() + MAX_SECONDS
    secret, told, used = secret_of(), [], {"bytes": 0, "requests": 0, "retries": 0}
    with rasterio.Env(GDAL_CACHEMAX=CACHE_MEGABYTES, GDAL_NUM_THREADS=1), tempfile.TemporaryDirectory(dir=job.outputs) as folder:
        for n, modality in enumerate(p["modalities"], 1):
            job.log(f"Querying modality {n} of {len(p['modalities'])}: {modality['name']}, {len(modality['items'])} items")
            name_classes(modality)
            client = RangeClient(Access(secret, modality["hosts"], p["allow_private_hosts"]), p["max_bytes"] - used["bytes"], deadline)
            try:
                clip = Clip(p["clip"], Grid(modality["grid"])) if p["clip"] else None
                made = read_modality(job, client, modality, clip, folder)
            finally:
                client.close()
                used = {"bytes": used["bytes"] + client.received, "requests": used["requests"] + client.requests, "retries": used["retries"] + client.retries}
            filled = impute(job, modality, made["path"])
            job.log(f"{modality['name']}: {made['coverage']:.1%} has data, {filled} pixels filled, {client.received} bytes in {client.requests} requests")
            told.append({"name": modality["name"], "coverage": made["coverage"], "clear": made["clear"], "filled_pixels": filled, "warnings": made["warnings"]})
    grid = Grid(p["modalities"][0]["grid"])
    bbox = transform_bounds(grid.crs, "EPSG:4326", *bounds_of(grid), densify_pts=21)
    job.details = {
        "crs": str(grid.crs), "bbox": bbox if all(map(math.isfinite, bbox)) else None, "filled_pixels": sum(one["filled_pixels"] for one in told),
        "modalities": told, "rasterio": rasterio.__version__, "peak_memory_bytes": peak_memory(), **used,
    }


if __name__ == "__main__":
    run(main)
