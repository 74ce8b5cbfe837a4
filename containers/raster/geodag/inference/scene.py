"""A model's input, decoded once and kept on disk by rows, so that memory does not grow with the scene."""

from __future__ import annotations

import mmap
import os
import tempfile

import numpy
from rasterio.windows import Window

from geodag.inference.memory import megabytes
from geodag.program import StepError
from geodag.raster import read

CHUNK_BYTES = 16_000_000
# The kernel may map whole rows around what is written: few at a time, whatever the width of the scene.
MAPPED_ROWS = 32


class Gaps:
    """Where the scene as delivered has no value: a band's own nodata, or NaN.

    ``bands``: its band numbers, counted from 1, in the order of the model input.
    """

    def __init__(self, scene, bands: list[int]) -> None:
        self.scene, self.bands = scene, bands

    @property
    def by_rows(self) -> bool:
        """Whether the file is stored by whole rows: a part of one costs as much as all of it."""
        return self.scene.block_shapes[0][1] >= self.scene.width

    def windows(self, first: int, high: int, across: slice):
        """Windows over ``high`` rows from ``first``, about ``CHUNK_BYTES`` each."""
        wide = across.stop - across.start
        rows = max(1, min(high, CHUNK_BYTES // (wide * len(self.bands) * 4)))
        for row in range(first, first + high, rows):
            yield Window(across.start, row, wide, min(rows, first + high - row))

    def fill(self, into: numpy.ndarray, first: int, high: int, across: slice, value: float) -> None:
        """Puts ``value`` into ``into`` [slot of a row, band, column] wherever rows ``first`` to ``first + high`` have none."""
        for window in self.windows(first, high, across):
            raw = read(self.scene, self.bands, window, "input")
            for n, (values, number) in enumerate(zip(raw, self.bands)):
                nodata = self.scene.nodatavals[number - 1]
                gap = numpy.isnan(values) if values.dtype.kind == "f" else numpy.zeros(values.shape, bool)
                gap = gap if nodata is None else gap | (values == nodata)
                rows, columns = numpy.nonzero(gap)
                into[(rows + window.row_off) % len(into), n, columns + window.col_off] = value


class Rows:
    """The last rows of a raster, float32, in a file of their own that has no name.

    Memory holds one block while it is decoded; the kernel may write the file out when it needs room.
    """

    def __init__(self, scene, high: int, gaps: Gaps | None, fill: float | None) -> None:
        self.scene, self.gaps, self.value = scene, gaps, fill
        self.block_rows, block_columns = scene.block_shapes[0]
        self.kept = min(scene.height, high + 2 * min(self.block_rows, 512))
        self.wide = min(scene.width, block_columns * max(1, 512 // block_columns))
        # Columns that are decoded together: the first windows need not wait for the whole width.
        step = scene.width if gaps and gaps.by_rows else self.wide
        self.parts = [slice(c, min(c + step, scene.width)) for c in range(0, scene.width, step)]
        self.next = [0] * len(self.parts)
        size = self.kept * scene.count * scene.width * 4
        self.file = tempfile.TemporaryFile()
        try:
            os.posix_fallocate(self.file.fileno(), 0, size)
        except OSError as failure:
            raise StepError(
                "step.disk", f"{megabytes(size)} MB for {self.kept} rows of the scene are not free on the disk: free some, or ask for a smaller area"
            ) from failure
        self.map = mmap.mmap(self.file.fileno(), size)
        self.array = numpy.frombuffer(self.map, "float32").reshape(self.kept, scene.count, scene.width)

    def _decode_to(self, last: int, n: int) -> None:
        """Decodes blocks of part ``n`` until row ``last`` is there."""
        part = self.parts[n]
        while self.next[n] <= last:
            first = self.next[n]
            high = min(self.block_rows - first % self.block_rows, 512, self.scene.height - first)
            slots = numpy.arange(first, first + high) % self.kept
            for column in range(part.start, part.stop, self.wide):
                window = Window(column, first, min(self.wide, part.stop - column), high)
                x = read(self.scene, None, window, "input").astype("float32", copy=False)
                if self.value is not None:
                    x[numpy.isnan(x)] = self.value
                for at in range(0, high, MAPPED_ROWS):
                    some = slots[at : at + MAPPED_ROWS]
                    self.array[some, :, column : column + window.width] = x[:, at : at + MAPPED_ROWS].transpose(1, 0, 2)
                    self.map.madvise(mmap.MADV_DONTNEED)  # out of this process, not out of the file
            if self.gaps:
                self.gaps.fill(self.array, first, high, part, self.value)
                self.map.madvise(mmap.MADV_DONTNEED)
            self.next[n] += high

    def take(self, rows: numpy.ndarray, columns: slice) -> numpy.ndarray:
        """[row, band, column] of these rows of the scene, which never lie far above those taken before."""
        last = int(rows.max())
        for n, part in enumerate(self.parts):
            if part.start < columns.stop and columns.start < part.stop:
                self._decode_to(last, n)
        x = self.array[rows % self.kept, :, columns]
        self.map.madvise(mmap.MADV_DONTNEED)
        return x
