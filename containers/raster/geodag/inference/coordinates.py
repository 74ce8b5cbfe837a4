"""Time and place as inputs of a model, as Prithvi's time and location encoders take them."""

from __future__ import annotations

import datetime

import numpy

from geodag.place import WGS84, transformed
from geodag.program import StepError


def coordinates(name: str, scene, dates: list[str], frames: int) -> numpy.ndarray:
    """``temporal_coords`` [date, 2]: year and day of the year, counted from 0; ``location_coords`` [2]: latitude, longitude of the centre.

    Fails with ``model.no_date``, ``model.no_place``.
    """
    if name == "temporal_coords":
        if len(dates) not in (1, frames):
            raise StepError(
                "model.no_date", f"the model takes the dates of {frames} images, {len(dates)} are known: give the date in temporal_domain"
            )
        days = [datetime.date.fromisoformat(date) for date in dates * (frames // len(dates))]
        return numpy.array([[day.year, day.timetuple().tm_yday - 1] for day in days], "float32")
    if scene.crs is None:
        raise StepError("model.no_place", "the model takes latitude and longitude, the scene has no CRS: set one with gdal_edit.py -a_srs EPSG:<code>")
    x, y = scene.xy(scene.height // 2, scene.width // 2)
    longitude, latitude = transformed(scene.crs, WGS84, [x], [y])
    if not numpy.isfinite(longitude[0]):
        raise StepError("model.no_place", "the model takes latitude and longitude, and the scene's centre lies off the earth: cut the scene to the earth")
    return numpy.array([latitude[0], longitude[0]], "float32")
