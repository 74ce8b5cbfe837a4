"""mask-sources: what masks are made from, fetched: polygons as they are, water on the scene's grid."""

import os

from geodag.fetch import fetch
from geodag.program import run
from geodag.raster import open_scene
from geodag.vectors import read_shapes
from water import write_water

ENDS = ((b"PK\x03\x04", "zip"), (b"SQLite format 3", "gpkg"))


def fetch_polygons(job, key: str, url: str, stem: str) -> None:
    """Writes what ``url`` answers under the ending that its first bytes say. Fails with ``source.*``, ``mask.not_vector``."""
    part = os.path.join(job.outputs, f"{stem}.part")
    try:
        fetch(url, part, job.parameters["max_bytes"], job.parameters["allow_private_hosts"], job.log)
        with open(part, "rb") as file:
            head = file.read(16)
        end = next((end for magic, end in ENDS if head.startswith(magic)), "geojson")
        target = job.write(key, f"{stem}.{end}")
        os.replace(part, target)
    finally:
        if os.path.exists(part):
            os.remove(part)
    shapes, crs = read_shapes(target)
    job.details[key] = len(shapes)
    job.log(f"{key}: {len(shapes)} polygons, {crs}")


def main(job) -> None:
    p = job.parameters
    if p["mask_url"]:
        fetch_polygons(job, "mask_polygons", p["mask_url"], "mask_polygons")
    if p["land_url"]:
        fetch_polygons(job, "land_polygons", p["land_url"], "land_polygons")
    if p["water_url"]:
        with open_scene(job.read("original_input_image")) as scene:
            write_water(job, scene, p["water_url"])


if __name__ == "__main__":
    run(main)
