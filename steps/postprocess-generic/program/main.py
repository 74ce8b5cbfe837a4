"""postprocess-generic: what people and programs look at, made of the scene and its prediction.

RGB, masks (masks.py), regularised outlines, polygons, a palette raster with class names, statistics, a
picture, a STAC Item and archive.zip. Rasters are COG; the archive is flat and deterministic.
"""

import json
import os
from contextlib import ExitStack

from archive import write_archive
from classes import MASKS, Legend, Statistics, paintable, write_classes, write_statistics
from geodag.program import run
from geodag.raster import open_scene
from item import date_of, item_of
from masks import VALUES, URL_VALUE, mask_prediction
from polygons import class_polygons, write_geojson, write_gpkg
from preview import write_preview
from regularize import regularize
from rgb import write_rgb

# Polygons of a larger prediction are made where they are asked for: outlines are drawn in memory.
POLYGON_PIXELS = 36_000_000
HIGHEST = 2**31 - 1


def legend_of(parameters: dict) -> Legend:
    """The style's labels and colours, and those of the masks that were asked for."""
    asked = parameters["masks"]
    masked = {value for name, value in VALUES.items() if asked.get(name)}
    masked |= {URL_VALUE} if asked.get("mask_from_url") else set()
    return Legend(parameters.get("classes") or {}, masked, parameters.get("ramp"))


def write_polygons(job, raster, stem: str, statistics: Statistics, legend: Legend) -> None:
    """Writes the outlines of every class; not of masks, and not of a continuous prediction."""
    wanted = job.parameters.get("polygons")
    if wanted is False or not statistics.classes:
        return
    if wanted is None and raster.width * raster.height > POLYGON_PIXELS:
        job.log(f"no polygons: more than {POLYGON_PIXELS} pixels; ask for them by post_processing.polygons: true")
        return
    values = [value for value in statistics.pixels if not legend.is_mask(value)]
    if any(not -HIGHEST <= value <= HIGHEST for value in values):
        job.log(f"no polygons: a class beyond {HIGHEST}, which their attribute cannot hold")
        return
    shapes, found = class_polygons(raster, values, job.parameters.get("polygon_tolerance_pixels", 1))
    write_gpkg(job.write("model_output_vector", f"{stem}_pred.gpkg"), shapes, found, legend, raster)
    write_geojson(job.write("model_output_geojson", f"{stem}_pred.geojson"), shapes, found, legend, raster)
    job.details["polygons"] = len(shapes)


def describe(job, shown, stem: str, rgb: str | None, legend: Legend) -> Statistics:
    """Statistics, palette raster, polygons and picture of the prediction as it is shown."""
    statistics = Statistics(shown, legend)
    write_statistics(job.write("statistics", "stats.csv"), statistics, legend)
    job.details["statistics"] = statistics.table(legend) if statistics.classes else statistics.spread()
    if paintable(statistics, legend):
        name = f"{stem}_pred_classes.tif"
        write_classes(job.write("model_output_classes", name), shown, statistics, legend)
        job.made["model_output_classes_names"] = f"{name}.aux.xml"
    write_polygons(job, shown, stem, statistics, legend)
    write_preview(job.write("preview", "preview.png"), rgb, shown, legend, statistics, job.parameters.get("date") or date_of(stem))
    return statistics


def main(job) -> None:
    source = job.read("original_input_image")
    stem = os.path.splitext(os.path.basename(source))[0]
    legend = legend_of(job.parameters)
    with ExitStack() as stack:
        scene = stack.enter_context(open_scene(source))
        prediction = stack.enter_context(open_scene(job.read("model_output_image"), "prediction"))
        rgb = write_rgb(job, scene, stem)
        masked = mask_prediction(job, scene, prediction)
        shown = stack.enter_context(open_scene(masked, "prediction")) if masked else prediction
        if job.parameters.get("regularization"):
            regularize(job, shown, stem, legend, set(MASKS) & legend.masked)
        statistics = describe(job, shown, stem, rgb, legend)
        files = {key: os.path.join(job.inputs, name) for key, name in job.artifacts.items()}
        files |= {key: os.path.join(job.outputs, name) for key, name in job.made.items()}
        # The Item and the archive have no entry: they are written after it, and hold it.
        given = {key: name for key, name in job.artifacts.items() if key not in (*job.made, "item", "archive")}
        own = {"process_id": "postprocess-generic", "inputs": given, "outputs": dict(job.made)}
        steps = [*(job.parameters.get("steps") or []), own]
        item = item_of(stem, prediction, files, statistics, legend, {**job.parameters, "steps": steps})
    if item:
        with open(job.write("item", "item.json"), "w", encoding="utf-8") as file:
            json.dump(item, file, indent=2, allow_nan=False)
    else:
        job.log("no STAC Item: no date is known; give one in temporal_domain or in the file's name")
    write_archive(job)
    job.log(f"made {', '.join(sorted(job.made.values()))}")


if __name__ == "__main__":
    run(main)
