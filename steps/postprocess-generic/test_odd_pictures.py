"""preview.png of odd shapes, names and values: what is in it can be seen, and the legend says what the colours are."""

import csv
import importlib.util
import json
import os
from xml.etree import ElementTree

import numpy
import pytest
from PIL import Image

from post_scenes import panels, post, task

RAMP = {"predicted": {"nodata": -9999}}


def picture(ran) -> numpy.ndarray:
    with Image.open(ran.path("preview")) as image:
        return numpy.asarray(image.convert("RGB")).astype(int)


def swatches(ran) -> list[tuple]:
    """Colours of the boxes of the legend, in order: the first pixel within each box's frame."""
    pixels = picture(ran)
    frame = (pixels == (30, 30, 30)).all(axis=-1)
    rows = [y for y in range(1, len(pixels) - 12) if frame[y, 12:25].all() and frame[y + 12, 12:25].all()]
    return [tuple(pixels[y + 2, x + 2].tolist()) for y in rows for x in range(12, pixels.shape[1] - 212, 190) if frame[y, x : x + 13].all()]


@pytest.mark.parametrize("size", [(1, 5000), (5000, 1), (3, 100_000), (100_000, 3), (1, 1)])
def test_a_long_and_thin_scene_can_be_seen(room, size):
    task(room, numpy.full((3, *size), 5, "uint16"), numpy.ones((1, *size), "int16"))
    pixels = picture(post(room))
    blue = (pixels[..., 2] > 200) & (pixels[..., 0] < 120)
    rows, columns = numpy.flatnonzero(blue.any(axis=1)), numpy.flatnonzero(blue.any(axis=0))
    assert len(rows) >= 24 and len(columns) >= 24 and pixels.shape[0] < 1300 and pixels.shape[1] < 2100


@pytest.mark.parametrize("value", [7.25, 0, -40, 1e30, -1e30])
def test_a_constant_prediction_has_one_colour_and_its_value(room, value):
    task(room, numpy.full((3, 40, 60), 5, "uint16"), numpy.full((1, 40, 60), value, "float32"), **RAMP)
    ran = post(room)
    before, after = panels(ran, (40, 60))
    assert swatches(ran) == [(127, 0, 0)]
    assert (before == before[0, 0]).all() and 0 < before[0, 0, 0] < 255
    assert (after == after[0, 0]).all() and abs(after[0, 0] - (before[0, 0] * 0.2 + numpy.array([127, 0, 0]) * 0.8)).max() < 3


@pytest.mark.parametrize("low, high", [(-1000, -1), (-1e30, 1e30), (-3e38, 3e38), (1e-30, 2e-30)])
def test_a_ramp_runs_from_its_lowest_to_its_highest_value(room, low, high):
    values = numpy.linspace(low, high, 2400).reshape(1, 40, 60).astype("float32")
    task(room, numpy.full((3, 40, 60), 5, "uint16"), values, **RAMP)
    ran = post(room)
    _, after = panels(ran, (40, 60))
    red = after[..., 0]
    assert swatches(ran) == [(0, 0, 0), (127, 0, 0), (255, 0, 0)]
    assert (numpy.diff(red.ravel()) >= 0).all() and red[39, 59] - red[0, 0] > 195


def test_an_empty_prediction_says_so_and_shows_the_scene(room):
    task(room, numpy.full((3, 40, 60), 5, "uint16"), numpy.full((1, 40, 60), -9999, "float32"), **RAMP)
    ran = post(room)
    before, after = panels(ran, (40, 60))
    assert (before == after).all() and swatches(ran) == [(255, 255, 255)]


def test_marks_of_masks_have_their_own_colour_and_do_not_stretch_the_ramp(room):
    scene = numpy.full((4, 40, 60), 4, "uint16")
    scene[3, :20] = 9
    values = numpy.linspace(0, 1, 2400).reshape(1, 40, 60).astype("float32")
    task(room, scene, values, **RAMP)
    _, after = panels(post(room, masks={"cloud_masking": True}, mask_band={"index": 3, "encoding": "sentinel2_scl"}), (40, 60))
    assert (after[:20] > 220).all() and after[39, 59, 0] - after[20, 0, 0] > 195


NAMES = ["מים ונהרות", "مياه وأنهار", "水体与河流", "Вода", "x" * 300, "two\nlines\tand a tab", "\x00\x07bell", "\ud800alone", '<b>&"', "", "   "]


def test_names_of_any_script_and_length_are_one_line_that_every_file_can_hold(room):
    prediction = (numpy.arange(3600).reshape(1, 60, 60) % 60).astype("int16")
    task(room, numpy.full((3, 60, 60), 5, "uint16"), prediction)
    given = {str(n): {"label": NAMES[n] if n < len(NAMES) else f"Class {n} " * 40, "rgb": [n * 4, 0, 255], "opacity": 1} for n in range(60)}
    ran = post(room, classes=given)
    assert ran.error["code"] is None and len(swatches(ran)) == 25
    with open(ran.path("statistics"), encoding="utf-8") as file:
        labels = [row["label"] for row in csv.DictReader(file)]
    assert labels[:4] == NAMES[:4] and max(map(len, labels)) == 200
    assert labels[5:11] == ["two lines and a tab", "bell", "alone", '<b>&"', "Class 9", "Class 10"]
    names = ElementTree.parse(ran.path("model_output_classes_names")).findall(".//Category")
    assert [name.text for name in names] == labels
    with open(ran.path("item"), encoding="utf-8") as file:
        assert [one["title"] for one in json.load(file)["assets"]["prediction"]["classification:classes"]] == labels


def footer():
    """The module of the program that draws the legend."""
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "program")
    spec = importlib.util.spec_from_file_location("footer", os.path.join(program, "footer.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(not os.path.exists("/usr/share/geodag"), reason="the fonts come with the image, where this runs")
@pytest.mark.parametrize("letters", ["水体河流", "水1.%W", "한국어", "ひらがな", "Вода", "Ωκεα", "מיהר", "أنهار"])
def test_the_fonts_of_the_image_have_the_letters(letters):
    own = footer().font_of(letters)
    shapes = {bytes(own.getmask(letter)) for letter in letters}
    assert len(shapes) == len(set(letters)) and bytes(own.getmask("\ue123")) not in shapes  # a letter that no font has is a box


@pytest.mark.parametrize("opacity, shown", [(0, 0), (-1, 0), (0.5, 0.35), (7, 0.7)])
def test_opacity_is_between_nothing_and_all(room, opacity, shown):
    task(room, numpy.full((3, 40, 60), 5, "uint16"), numpy.ones((1, 40, 60), "int16"))
    before, after = panels(post(room, classes={"1": {"label": "Water", "rgb": [0, 0, 255], "opacity": opacity}}), (40, 60))
    wanted = before[0, 0] * (1 - shown) + numpy.array([0, 0, 255]) * shown
    assert abs(after - wanted).max() < 2
