"""What the script left: regular files only, names made safe, the new raster found and opened."""

import json
import os
import re
import shutil
import stat

import rasterio
from rasterio.shutil import copy

from check import Breach

MAX_FILES = 1000
LARGEST_BLOCK = 64_000_000


def _files(folder: str) -> list[tuple[str, str]]:
    """(path, safe flat name) of every regular file below ``folder``; links are not followed."""
    found = []
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(parent, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                found.append((path, re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".") or "file"))
    if len(found) > MAX_FILES:
        raise Breach("processor.output_size", f"it left {len(found)} files, at most {MAX_FILES}")
    return found


def _check(path: str, name: str) -> None:
    try:
        with rasterio.open(path, driver="GTiff") as raster:
            rows, columns = raster.block_shapes[0] if raster.count else (0, 0)
            if rows * columns > LARGEST_BLOCK:  # to read one pixel is to decode its block
                raise Breach("processor.bad_output", f"{name} has blocks of {columns} x {rows} pixels: write it tiled")
            raster.read(1, window=((0, 1), (0, min(1, raster.width))))
    except rasterio.errors.RasterioIOError as failure:
        raise Breach("processor.bad_output", f"{name} cannot be read as GeoTIFF: close it before the script ends") from failure


def _copy_as_cog(path: str, target: str, name: str) -> None:
    """What goes on is a COG, as every prediction is, whatever the script wrote."""
    try:
        copy(path, target, driver="COG", compress="DEFLATE", blocksize=512, overview_resampling="nearest")
    except rasterio.errors.RasterioError as failure:
        raise Breach("processor.bad_output", f"{name} cannot be read as GeoTIFF: {failure}") from failure


def _printed_object(tail: str) -> dict:
    """The JSON object on the last line, which the seed's sample prints as its result."""
    lines = [line for line in tail.splitlines() if line.strip()]
    try:
        value = json.loads(lines[-1]) if lines else None
    except ValueError:
        return {}
    return {"result": value} if isinstance(value, dict) else {}


def collect(work: str, outputs: str, prediction: str | None, tail: str) -> tuple[dict, dict]:
    """(artifacts, details); the raster named as the prediction wins, else the newest one."""
    details, artifacts = _printed_object(tail), {}
    files = _files(work)
    rasters = [(path, name) for path, name in files if name.lower().endswith((".tif", ".tiff"))]
    chosen = next((r for r in rasters if r[1] == prediction), None)
    chosen = chosen or max(rasters, key=lambda r: (os.lstat(r[0]).st_mtime_ns, r[1]), default=None)
    if chosen:
        _check(*chosen)
        stem = re.sub(r"(_pred)?\.tiff?$", "", prediction or chosen[1])
        artifacts = {"model_output_image": f"{stem}_processed_pred.tif"}
        if prediction:
            artifacts["model_output_image_raw"] = prediction
        _copy_as_cog(chosen[0], os.path.join(outputs, artifacts["model_output_image"]), chosen[1])
    else:
        details["note"] = "the script left no raster below --output: the prediction stays as it was"
    for path, name in files:
        taken = name in ("result.json", "log.txt", "valid.tif", prediction) or os.path.exists(os.path.join(outputs, name))
        if (not chosen or path != chosen[0]) and not taken:
            shutil.copyfile(path, os.path.join(outputs, name))
    details["files"] = len(files)
    return artifacts, details
