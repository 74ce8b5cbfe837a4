"""Items of one day onto one grid: for each band and pixel the first item in the stated order that has data.

Band after band and window after window, so that what is held does not grow with the area; bands
are read side by side, each pixel is written once, so threads do not change a byte.
"""

from __future__ import annotations

import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy
import rasterio

from geodag.program import StepError
from items import Grid, ItemBand
from values import ShiftGuard, dtype_of, harmonised, nodata_of

NOBODY = 255


class Canvas:
    """The rasters of a modality while they are made: ``stack`` [band], and ``owner``: whose data a pixel has first."""

    def __init__(self, stack, owner, grid: Grid, clip) -> None:
        self.grid, self._stack, self._owner, self._clip = grid, stack, owner, clip
        self._lock = threading.Lock()

    def put(self, position: int, window, values: numpy.ndarray, supplier: numpy.ndarray | None) -> None:
        """Writes a window of a band; ``supplier`` counts for the owner, None for a class band."""
        outside = self._clip.outside(window) if self._clip else None
        if outside is not None:
            values[outside] = self._stack.nodata
        with self._lock:
            self._stack.write(values, position + 1, window=window)
            if supplier is not None:
                if outside is not None:
                    supplier[outside] = NOBODY
                self._owner.write(numpy.minimum(supplier, self._owner.read(1, window=window)), 1, window=window)

    def owner(self, window) -> numpy.ndarray:
        with self._lock:
            return self._owner.read(1, window=window)

    def read(self, position: int, window) -> numpy.ndarray:
        """What a band holds so far."""
        with self._lock:
            return self._stack.read(position + 1, window=window)

    @property
    def dtype(self) -> numpy.dtype:
        """Of every band: a GeoTIFF has one."""
        return numpy.dtype(self._stack.dtypes[0])


class Reading:
    """What reading one modality needs: its parameters, the client, and a log that counts."""

    def __init__(self, client, modality: dict, log) -> None:
        self.client, self.modality, self.grid = client, modality, Grid(modality["grid"])
        self.items, self.bands = modality["items"], modality["bands"]
        self.warnings: list[str] = []
        self._opened: dict[str, list] = {}
        self._log, self._lock, self._done = log, threading.Lock(), set()
        self._total = sum(band["band_name"] in item["bands"] for item in self.items for band in self.bands)
        self._say_what_lacks()

    def _say_what_lacks(self) -> None:
        for item in self.items:
            for warning in item["warnings"]:
                self.warn(f"{item['id']}: {warning}")
        for band in self.bands:
            name = band["band_name"]
            lacking = [item["id"] for item in self.items if name not in item["bands"]]
            if len(lacking) == len(self.items):
                raise StepError("source.no_band", f"none of the {len(lacking)} items has a band {name}: name a band of {self.modality['collection']}")
            for item in lacking:
                self.warn(f"{item} has no file of {name}: left out for that band")

    def warn(self, text: str) -> None:
        with self._lock:
            if text not in self.warnings:
                self.warnings.append(text)
                self._log(f"warning: {text}")

    def finished(self, item_band: str) -> None:
        """Says how far the reading is: each band of each item once."""
        with self._lock:
            if item_band not in self._done:
                self._done.add(item_band)
                self._log(f"item {len(self._done)} of {self._total}: {item_band}, {self.client.received} bytes so far")

    def is_class(self, name: str) -> bool:
        """Whether a band holds classes: for masks, never data."""
        return any(item["bands"][name]["class_band"] for item in self.items if name in item["bands"])

    def open(self, name: str) -> list[tuple[int, ItemBand]]:
        """The items that have the band, with their place in the order; no server is asked before a pixel is."""
        if name not in self._opened:
            modality = self.modality
            self._opened[name] = [
                (n, ItemBand(self.client, item, name, self.grid, modality["resampling"], modality["driver"], self.warn))
                for n, item in enumerate(self.items) if name in item["bands"]
            ]  # fmt: skip
        return self._opened[name]


class Wider(Exception):
    """A later file holds values that the canvas cannot: it is made anew with ``dtype``."""

    def __init__(self, dtype: numpy.dtype) -> None:
        super().__init__(str(dtype))
        self.dtype = dtype


def held_by(*kinds: numpy.dtype) -> numpy.dtype:
    """What holds the values of all kinds: integers of up to two bytes as they are, else float32."""
    dtype = numpy.result_type(*kinds)
    return dtype if dtype.kind in "ui" and dtype.itemsize <= 2 else numpy.dtype("float32")


def stack_dtype(reading: Reading) -> numpy.dtype:
    """What holds every band: by the first file of each, whose header is read for it, and by every item's scale."""
    kinds = []
    for band in reading.bands:
        opened = [item_band for _, item_band in reading.open(band["band_name"])]
        kinds += [dtype_of(one.band, opened[0].dtype) for one in opened]
    return held_by(*kinds)


def check_held(item_band: ItemBand, raw: numpy.ndarray, canvas: Canvas) -> None:
    """Raises :class:`Wider` for values that clipping or rounding would change without a word."""
    own = dtype_of(item_band.band, str(raw.dtype))
    if not numpy.can_cast(own, canvas.dtype):
        raise Wider(held_by(own, canvas.dtype))


def fuse_band(reading: Reading, canvas: Canvas, position: int, name: str) -> None:
    """Fills one data band of the canvas."""
    opened, guard = reading.open(name), ShiftGuard(name)
    positive = reading.modality["transform"] == "to_decibels" and position < 2
    try:
        for window in reading.grid.windows():
            values = numpy.full((window.height, window.width), nodata_of(canvas.dtype), canvas.dtype)
            supplier = numpy.full(values.shape, NOBODY, "uint8")
            for n, item_band in opened:
                wanted = supplier == NOBODY
                if not wanted.any():
                    break
                got = item_band.read(window)
                if got is None:
                    continue
                raw, valid = got
                check_held(item_band, raw, canvas)
                guard.see(item_band.item, item_band.band, raw, valid)
                here = harmonised(raw, valid, item_band.band, canvas.dtype, positive)
                wanted &= valid
                values[wanted], supplier[wanted] = here[wanted], n
                reading.finished(item_band.said)
            canvas.put(position, window, values, supplier)
        guard.check()
    finally:
        for _, item_band in opened:
            item_band.close()


def class_band(reading: Reading, canvas: Canvas, position: int, name: str, alone: bool) -> None:
    """Fills a class band: at each pixel the class that the item of its data says; ``alone``: the first that says one.

    A class of another item would call the pixel clear or cloudy by another moment's sky. Only where
    that item has no file of classes at all, those of its neighbours of the same day stand in.
    """
    opened = reading.open(name)
    orphans = {n: [m for m, other in enumerate(reading.items) if name not in other["bands"] and same_day(other, reading.items[n])] for n, _ in opened}
    try:
        for window in reading.grid.windows():
            values = numpy.full((window.height, window.width), nodata_of(canvas.dtype), canvas.dtype)
            supplier = numpy.full(values.shape, NOBODY, "uint8")
            owner = None if alone else canvas.owner(window)
            for n, item_band in opened:
                wanted = supplier == NOBODY
                if not alone:
                    wanted &= (owner == n) | numpy.isin(owner, orphans[n])
                if not wanted.any():
                    continue
                got = item_band.read(window)
                if got is None:
                    continue
                raw, valid = got
                check_held(item_band, raw, canvas)
                wanted &= valid
                values[wanted], supplier[wanted] = harmonised(raw, valid, item_band.band, canvas.dtype, False)[wanted], n
                reading.finished(item_band.said)
            canvas.put(position, window, values, supplier if alone else None)
    finally:
        for _, item_band in opened:
            item_band.close()


def same_day(one: dict, other: dict) -> bool:
    """Whether two items were sensed on one UTC day."""
    return one["datetime"][:10] == other["datetime"][:10]


def fuse(reading: Reading, canvas: Canvas, threads: int) -> None:
    """All bands of a modality onto the canvas, data first. Fails with ``source.*``."""
    names = [band["band_name"] for band in reading.bands]
    classes = [name for name in names if reading.is_class(name)]
    alone = len(classes) == len(names)
    jobs = [(fuse_band, reading, canvas, i, name) for i, name in enumerate(names) if name not in classes]
    _together(jobs, threads)
    _together([(class_band, reading, canvas, i, name, alone) for i, name in enumerate(names) if name in classes], threads)


def _together(jobs: list[tuple], threads: int) -> None:
    """Runs jobs side by side; the first failure in the order of the jobs is the one that counts."""
    stop = threading.Event()

    def one(job):
        if stop.is_set():
            return
        try:
            # rasterio finds its openers by a context variable, which a thread does not inherit.
            job[0](*job[1:])
        except BaseException:
            stop.set()
            raise

    with ThreadPoolExecutor(threads) as pool:
        running = [pool.submit(contextvars.copy_context().run, one, job) for job in jobs]
    for future in running:
        future.result()


def owner_raster(path: str, grid: Grid):
    """A raster of uint8 that says for each pixel which item came first; nobody yet."""
    raster = rasterio.open(
        path, "w+", driver="GTiff", count=1, dtype="uint8", width=grid.width, height=grid.height, crs=grid.crs, transform=grid.transform, tiled=True,
    )
    for window in grid.windows():
        raster.write(numpy.full((window.height, window.width), NOBODY, "uint8"), 1, window=window)
    return raster


def like(grid: Grid) -> SimpleNamespace:
    """What :func:`geodag.raster.cog` takes size, CRS and transform from."""
    return SimpleNamespace(width=grid.width, height=grid.height, crs=grid.crs, transform=grid.transform)
