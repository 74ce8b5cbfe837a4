"""Pixels without data, filled window by window to what the whole scene at once would give."""

import os
from contextlib import nullcontext

import numpy
from rasterio.fill import fillnodata
from rasterio.windows import Window

from geodag.gaps import Source
from geodag.program import StepError
from geodag.raster import cog, windows

REACH = 100
# GDAL's fill looks no farther than REACH + 1 pixels, so a window with this rim is filled exactly.
RIM = REACH + 2


class Radiometry:
    """From the stored number to the model's: the file's own scale and offset where asked, then the spec's."""

    def __init__(self, scene, bands: list[dict], mode: str) -> None:
        indexes = [band["index"] for band in bands]
        self.said = [(scene.scales[i], scene.offsets[i]) for i in indexes]
        self.tagged = any(pair != (1.0, 0.0) for pair in self.said)
        self.applied = mode == "scaled"
        own = self.said if self.applied else [(1.0, 0.0)] * len(bands)
        factors = [(band.get("scaling_factor", 1), band.get("offset", 0)) for band in bands]
        self.gains = [numpy.float32(scale * factor) for (scale, _), (factor, _) in zip(own, factors)]
        self.shifts = [numpy.float32(offset * factor + more) for (_, offset), (factor, more) in zip(own, factors)]
        for band, (scale, offset), gain, shift in zip(bands, self.said, self.gains, self.shifts):
            if not (numpy.isfinite(gain) and numpy.isfinite(shift) and gain):
                raise StepError(
                    "source.bad_scale", f"{os.path.basename(scene.name)}: band {band['band_name']} would lose its values by scale {scale:g} and offset "
                    f"{offset:g} of the file and the spec's own: set them with gdal_edit.py -scale 1 -offset 0, or give radiometry: stored",
                )

    def apply(self, position: int, values):
        """``values`` float32 of the band at ``position``, in the model's units."""
        scaled = values * self.gains[position]
        return scaled + self.shifts[position] if self.shifts[position] else scaled

    def note(self) -> str | None:
        """What the log and the Item must say: tags that were left aside change what a value means."""
        if not self.tagged:
            return None
        pairs = sorted({f"scale {scale:g}, offset {offset:g}" for scale, offset in self.said})
        did = "applied" if self.applied else "not applied: give radiometry: scaled beside bands in model_input_data_spec to apply them"
        return f"the file's own radiometry ({'; '.join(pairs)}) was {did}"


def model_input(source: Source, names: list[str], apply, path: str, valid_path: str | None, said: str, tags=None, classes=()) -> int:
    """Writes the bands of ``source`` to ``path``, float32, no pixel without a value; the number of pixels filled.

    ``apply(position, values)`` gives float32 values in the model's units. ``valid_path`` becomes uint8, 1
    where any band has data. The bands at the positions ``classes`` are codes: nothing is computed between
    two of them, a gap is 0, and none of them makes a pixel valid. Fails with ``source.all_nodata`` (1013).
    """
    filled, far = [0] * len(names), [[] for _ in names]
    data = [position for position in range(len(names)) if position not in classes] or list(range(len(names)))
    target = cog(path, source.scene, len(names), "float32", None, names, tags=tags)
    mask = cog(valid_path, source.scene, 1, "uint8", None) if valid_path else nullcontext()
    with target as out, mask as valid:
        for window in windows(source.scene, len(names)):
            stack = source.read(source.indexes, window).astype("float32")
            hidden = source.mask(window)
            gaps = numpy.stack([source.gaps(band, hidden) for band in stack])
            if valid:
                valid.write((~gaps[data].all(axis=0)).astype("uint8"), 1, window=window)
            for position in classes:
                stack[position][gaps[position]] = 0
                gaps[position] = False
            if gaps.any():
                fill(source, window, stack, gaps)
                for position, gap in enumerate(gaps):
                    filled[position] += int(numpy.count_nonzero(gap))
                    if numpy.isnan(stack[position]).any():
                        far[position].append(window)
            for position in range(len(names)):
                stack[position] = apply(position, stack[position])
            out.write(stack, window=window)
        for name, count in zip(names, filled):
            if count == source.scene.width * source.scene.height:
                raise StepError("source.all_nodata", f"band {name} of {said} has no valid pixel: choose another date or place")
        _far(source, apply, out, far)
    return sum(filled)


def _far(source: Source, apply, out, far: list[list[Window]]) -> None:
    """Gives what lies too far from any valid pixel its band's median."""
    lacking = [position for position, found in enumerate(far) if found]
    middles = medians(source, [source.indexes[position] for position in lacking]) if lacking else []
    for position, middle in zip(lacking, middles):
        for window in far[position]:
            values = out.read(position + 1, window=window)
            values[numpy.isnan(values)] = apply(position, middle)
            out.write(values, position + 1, window=window)


def fill(source: Source, window: Window, stack: numpy.ndarray, gaps: numpy.ndarray) -> None:
    """Fills ``stack`` [band, row, column] in place from valid pixels within 100 px; NaN where there is none.

    The pixels around the window are read once for all bands: a file by pixel decodes them together.
    """
    stack[gaps] = numpy.nan
    top, left = max(0, window.row_off - RIM), max(0, window.col_off - RIM)
    bottom = min(source.scene.height, window.row_off + window.height + RIM)
    right = min(source.scene.width, window.col_off + window.width + RIM)
    around = Window(left, top, right - left, bottom - top)
    near, hidden = source.read(source.indexes, around), source.mask(around)
    row, column = window.row_off - top, window.col_off - left
    for band, gap, raw in zip(stack, gaps, near):
        if not gap.any():
            continue
        values = raw.astype("float32")
        empty = source.gaps(values, hidden)
        if empty.all():
            continue
        values[empty] = numpy.nan
        values = fillnodata(values, (~empty).astype("uint8"), max_search_distance=REACH)
        band[gap] = values[row : row + gap.shape[0], column : column + gap.shape[1]][gap]


def medians(source: Source, indexes: list[int]) -> list[numpy.float32]:
    """What numpy.median says of each band's valid pixels, exactly, from two histograms of their 32 bits."""
    upper = [counts[0] for counts in _histograms(source, indexes, [[None]] * len(indexes))]
    ranks = [((int(counts.sum()) - 1) // 2, int(counts.sum()) // 2) for counts in upper]
    highs = [[_bucket(counts, rank) for rank in both] for counts, both in zip(upper, ranks)]
    found = []
    for counts, both, high, lower in zip(upper, ranks, highs, _histograms(source, indexes, highs)):
        pair = [h << 16 | _bucket(low, rank - int(counts[:h].sum())) for h, rank, low in zip(high, both, lower)]
        keys = numpy.array(pair, "uint32")
        found.append(numpy.where(keys >> 31, keys ^ numpy.uint32(0x80000000), ~keys).view("float32").mean())
    return found


def _bucket(counts: numpy.ndarray, rank: int) -> int:
    """The bucket that holds the value of this rank, counted from 0."""
    return int(numpy.searchsorted(numpy.cumsum(counts), rank, side="right"))


def _histograms(source: Source, indexes: list[int], highs: list[list]) -> list[list[numpy.ndarray]]:
    """Per band and wanted ``high``: counts of the lower 16 bits below it; of the upper 16 bits where it is None."""
    counts = [[numpy.zeros(65536, "int64") for _ in high] for high in highs]
    for window in windows(source.scene, len(indexes)):
        hidden = source.mask(window)
        for raw, high, into in zip(source.read(indexes, window), highs, counts):
            band = raw.astype("float32")
            keys = band[~source.gaps(band, hidden)].view("uint32")
            # Flipped so, the bits of floats sort as the floats do.
            keys = numpy.where(keys >> 31, ~keys, keys | numpy.uint32(0x80000000))
            for wanted, count in zip(high, into):
                count += numpy.bincount(keys >> 16 if wanted is None else keys[keys >> 16 == wanted] & 0xFFFF, minlength=65536)
    return counts
