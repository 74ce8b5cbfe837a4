"""Outlines made regular: rectangles, right angles, or what suits each shape, burned back into the raster.

``adaptive``: a compact shape of one direction becomes its rectangle, any other stays. ``orthogonal``:
edges turn to the shape's main direction and its perpendicular (of the packages, buildingregulariser
0.2.5 leaves 14 corners on an L of 6 drawn in pixels, so this is done here).
``hybrid``: the rectangle where adaptive makes one, else orthogonal.
"""

import math

import numpy
import shapely
import shapely.affinity
from rasterio.features import rasterize

from geodag.raster import cog, read, windows
from polygons import shapes_of, write_geojson

# Perimeter by four roots of the area: 1 for a square, 1.05 for a box of 2:1, 1.25 for 4:1.
COMPACT = 1.2
DOMINANT = 0.5
BINS = 18
# A rectangle that is not about as large as its shape is another shape.
LEAST_SHARE, MOST_SHARE = 0.8, 1.25
OVERLAP = 0.6
# Pixels: the stairs of an edge that runs across the grid lie within that of the edge.
STAIRS = 1.5


def complexity(shape) -> float:
    """Perimeter / (4 sqrt(area)), no unit."""
    return shape.length / (4 * math.sqrt(shape.area))


def direction(shape) -> tuple[float, float]:
    """(radians of the main direction, 0 to pi/2; share of the outline that runs along it or across).

    From a histogram of the edges' angles, weighted by length: 18 bins over 180 degrees, of which those
    a right angle apart are one direction.
    """
    steps = numpy.diff(numpy.asarray(shape.exterior.coords), axis=0)
    lengths = numpy.hypot(*steps.T)
    angles = numpy.arctan2(steps[:, 1], steps[:, 0]) % (math.pi / 2)
    width = math.pi / BINS
    # Bins are centred on their angle, so that a level edge is not split by rounding.
    place = numpy.round(angles / width).astype(int) % (BINS // 2)
    sums = numpy.bincount(place, lengths, BINS // 2)
    top = int(sums.argmax())
    turned = numpy.where(angles > math.pi / 2 - width / 2, angles - math.pi / 2, angles)
    inside = place == top
    return float(numpy.average(turned[inside], weights=lengths[inside])), float(sums[top] / lengths.sum())


def rectangle(shape, angle: float):
    """The box around the shape in the frame turned by ``angle``."""
    turned = shapely.affinity.rotate(shape, -angle, origin=(0, 0), use_radians=True)
    return shapely.affinity.rotate(shapely.box(*turned.bounds), angle, origin=(0, 0), use_radians=True)


def adaptive(shape, pixel: float):
    """The shape's rectangle where it is compact and of one direction, else the shape itself."""
    smooth = shape.simplify(STAIRS * pixel)
    if smooth.is_empty or complexity(smooth) >= COMPACT:
        return shape
    angle, share = direction(smooth)
    if share <= DOMINANT:
        return shape
    box = rectangle(smooth, angle)
    return box if LEAST_SHARE <= box.area / shape.area <= MOST_SHARE else shape


def orthogonal(shape, pixel: float):
    """Every edge along the main direction or across it; the shape itself where that would change it beyond recognition."""
    smooth = shape.simplify(STAIRS * pixel)
    if smooth.is_empty:
        return shape
    angle, _ = direction(smooth)
    turned = shapely.affinity.rotate(smooth, -angle, origin=(0, 0), use_radians=True)
    outer, *inner = (squared(numpy.asarray(ring.coords)) for ring in (turned.exterior, *turned.interiors))
    if outer is None:
        return shape
    made = shapely.make_valid(shapely.Polygon(outer, [ring for ring in inner if ring is not None]))
    found = shapely.affinity.rotate(made, angle, origin=(0, 0), use_radians=True)
    same = found.intersection(shape).area / found.union(shape).area
    return found if same >= OVERLAP else shape


def squared(ring: numpy.ndarray) -> numpy.ndarray | None:
    """Corners [n, 2] of a closed ring whose edges are made level or upright; None where no shape is left.

    Edges that follow each other in one direction become one, where they lie on average by length.
    """
    steps, middles = numpy.diff(ring, axis=0), (ring[:-1] + ring[1:]) / 2
    lengths, level = numpy.hypot(*steps.T), abs(steps[:, 0]) >= abs(steps[:, 1])
    turns = numpy.flatnonzero(level != numpy.roll(level, 1))
    if len(turns) < 4:
        return None
    runs = numpy.split(numpy.roll(numpy.arange(len(steps)), -turns[0]), turns[1:] - turns[0])
    offsets = [numpy.average(middles[run, int(level[run[0]])], weights=lengths[run]) for run in runs]
    corners = []
    for n, run in enumerate(runs):
        before = offsets[n - 1]
        corners.append((before, offsets[n]) if level[run[0]] else (offsets[n], before))
    return numpy.array(corners)


def hybrid(shape, pixel: float):
    made = adaptive(shape, pixel)
    return made if made is not shape else orthogonal(shape, pixel)


TECHNIQUES = {"adaptive": adaptive, "orthogonal": orthogonal, "hybrid": hybrid}


def regularize(job, raster, stem: str, legend, kept: set[int]) -> str:
    """Writes ``<stem>_pred_<technique>_regularized.tif`` and ``.geojson``; classes not asked for stay as they are.

    Pixels of ``kept`` (masks) and without data are never written over.
    """
    asked = job.parameters["regularization"]
    technique, pixel = asked["technique"], abs(raster.transform.determinant) ** 0.5
    array = read(raster, 1, None, "prediction")
    free = (raster.read_masks(1) > 0) & ~numpy.isin(array, sorted(kept))
    shapes, values = shapes_of(array.astype("int32"), free & numpy.isin(array, asked["classes"]), raster.transform)
    least = asked.get("min_pixels", 0) * pixel * pixel
    made = [(TECHNIQUES[technique](shape, pixel) if shape.area >= least else shape, value) for shape, value in zip(shapes, values)]
    out = array.copy()
    out[free & numpy.isin(array, asked["classes"])] = asked.get("background", 0)
    for value in asked["classes"]:
        own = [shape for shape, found in made if found == value and not shape.is_empty]
        if own:
            burned = rasterize(own, out_shape=array.shape, transform=raster.transform, all_touched=True, dtype="uint8") > 0
            out[burned & free] = value
    base = f"{stem}_pred_{technique}_regularized"
    path = job.write("model_output_regularized_image", f"{base}.tif")
    with cog(path, raster, 1, raster.dtypes[0], raster.nodata, ["prediction"]) as target:
        for window in windows(raster, 1):
            rows, columns = window.toslices()
            target.write(out[rows, columns], 1, window=window)
    parts = [(part, value) for shape, value in made for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]
    outlines, found = numpy.array([part for part, _ in parts], dtype=object), numpy.array([value for _, value in parts], "int32")
    write_geojson(job.write("model_output_regularized_vector", f"{base}.geojson"), outlines, found, legend, raster)
    changed = sum(shape is not before for (shape, _), before in zip(made, shapes))
    job.details["regularization"] = {"technique": technique, "polygons": len(made), "changed": changed}
    return path
