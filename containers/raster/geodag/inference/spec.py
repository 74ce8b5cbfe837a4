"""How a model is run: what its metadata and runtime.json say, held against its graph."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy

from geodag.inference.block import CHIP, as_list
from geodag.inference.session import Model, Port
from geodag.inference.windows import Axis, plain, terratorch
from geodag.program import StepError

COORDINATES = ("temporal_coords", "location_coords")
# Operators whose values are whole numbers: a class, not a score.
WHOLE = {"ArgMax", "ArgMin", "Round", "Floor", "Ceil", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal", "Not", "And", "Or"}
DEFAULT_TILE, DEFAULT_BATCH, DEFAULT_DELTA = 256, 4, 8


def bad(message: str) -> StepError:
    return StepError("model.bad_input", message)


@dataclass
class Input:
    """One raster that the model takes: which of its bands, how scaled, in which axes. ``bands`` counts those of one date."""

    port: Port
    name: str | None
    bands: int | None
    select: list[int]
    scale: list[float]
    mean: list
    std: list
    suffix: str | None = None
    frames: int = 1
    channels_last: bool = False
    flat: dict = field(default_factory=dict)

    def fit(self, count: int, frames: int | None, channels_last: bool | None) -> None:
        """Settles bands and axes for a raster of ``count`` bands, time-major: all of the first date, then of the second."""
        port, rank = self.port, len(self.port.shape)
        if rank not in (4, 5):
            raise bad(f"input {port.name} of the model is {list(port.shape)}: it must be [window, band, (time,) row, column]")
        self.channels_last = self._looks_last(count, frames or 1) if channels_last is None else channels_last
        if rank == 5:
            by_time = port.fixed(1 if self.channels_last else 2)
            per_date = self.bands or (None if self.select else port.fixed(4 if self.channels_last else 1))
            frames = by_time or frames or (count // per_date if per_date else 1)
        self.frames = frames = frames or 1
        if count % frames:
            raise bad(f"{count} bands are no whole number of bands at {frames} dates, which the model takes: give all bands of each date")
        each = count // frames
        if self.bands and self.bands != each:
            dates = f" at {frames} dates" if frames > 1 else ""
            raise bad(f"inputs.{self.name or port.name} lists {self.bands} bands{dates}, model_input_data_spec gives {count}: list the same")
        if self.select and max(self.select) >= each:
            raise bad(f"inputs.{self.name or port.name}.select names band {max(self.select)}, there are {each}, counted from 0")
        select = self.select or list(range(each))
        total = len(select) if rank == 5 else len(select) * frames
        wanted = port.fixed(rank - 1 if self.channels_last else 1)
        if wanted not in (None, total):
            raise bad(f"the model takes {wanted} bands, model_input_data_spec gives {total}")
        dates = range(frames)
        self.flat = {
            "select": [t * each + s for t in dates for s in select],
            "scale": self._spread("scale", self.scale, len(select)),
            "mean": self._spread("mean", self.mean, len(select)),
            "std": self._spread("std", self.std, len(select)),
        }

    def _looks_last(self, count: int, frames: int) -> bool:
        """Whether the graph's last axis is the one of the bands."""
        first, last = self.port.fixed(1), self.port.fixed(len(self.port.shape) - 1)
        if len(self.port.shape) == 5:
            bands = len(self.select) * (first or 0) or count
            return (first or 0) * (last or 0) == bands and (first or 0) * (self.port.fixed(2) or 0) != bands
        bands = len(self.select) * frames or count
        return last == bands and first != bands and self.port.fixed(2) != bands

    def _spread(self, name: str, values: list, bands: int) -> numpy.ndarray | None:
        """[band of every date] float32, from one a band, one a band and date ([band][time]), or one for all."""
        if not values:
            return None
        if isinstance(values[0], list):
            if len(values) != bands or any(len(v) != self.frames for v in values):
                raise bad(f"inference.{name}: give {self.frames} values for each of {bands} bands")
            values = [v[t] for t in range(self.frames) for v in values]
        elif len(values) in (1, bands):
            values = values * (bands * self.frames // len(values))
        elif len(values) != bands * self.frames:
            raise bad(f"inference.{name}: {len(values)} values for {bands} bands: give one a band")
        return numpy.array(values, "float32").reshape(1, -1, 1)

    def hw(self) -> tuple[int, int]:
        """Axes of row and column."""
        rank = len(self.port.shape)
        return (rank - 3, rank - 2) if self.channels_last else (rank - 2, rank - 1)

    def prepare(self, x: numpy.ndarray) -> numpy.ndarray:
        """[row, band, column] of the raster to the selected bands, scaled and normalised, float32."""
        if self.flat["select"] != list(range(x.shape[1])):
            x = x[:, self.flat["select"]]
        if self.flat["scale"] is not None:
            x = x * self.flat["scale"]
        if self.flat["mean"] is not None:
            x = x - self.flat["mean"]
        if self.flat["std"] is not None:
            x = x / self.flat["std"]
        return x

    def shaped(self, x: numpy.ndarray) -> numpy.ndarray:
        """[row, band, column] of one window to the axes and dtype of the graph, without the batch."""
        x = x.transpose(1, 0, 2)
        if len(self.port.shape) == 5:
            x = x.reshape(self.frames, -1, *x.shape[1:])
            x = x.transpose(0, 2, 3, 1) if self.channels_last else x.swapaxes(0, 1)
        elif self.channels_last:
            x = x.transpose(1, 2, 0)
        if self.port.dtype == "float32":
            return x
        if self.port.dtype.startswith("float"):
            with numpy.errstate(over="ignore"):
                return x.astype(self.port.dtype)
        limits = numpy.iinfo(self.port.dtype)
        return numpy.nan_to_num(x).round().clip(limits.min, limits.max).astype(self.port.dtype)


def inputs_of(block: dict, model: Model) -> list[Input]:
    """One a raster, in the graph's order. Fails with ``model.bad_input``."""
    ports = [port for port in model.inputs.values() if port.name not in block["coords"]]
    alone = [{"mean": block["mean"], "std": block["std"]}]
    rows = block["inputs"] or ([{"name": port.name} for port in ports] if len(ports) > 1 and not block["mean"] else alone)
    named = {row.get("name"): row for row in rows}
    missing = sorted(set(block["coords"]) - set(model.inputs) - set(named))
    if len(rows) != len(ports) or missing:
        said = ", ".join(map(str, missing or [port.name for port in ports]))
        raise bad(f"the model takes {len(ports)} inputs ({said}), its metadata describe {len(rows)}: describe each in inference.inputs")
    in_order = [named[p.name] for p in ports] if all(p.name in named for p in ports) else rows
    made = []
    for port, row in zip(ports, in_order):
        mean, std = as_list(row.get("mean")), as_list(row.get("std"))
        if block["inputs"] and not (mean and std):  # terratorch normalises with both or not at all
            mean, std = [], []
        made.append(
            Input(
                port, row.get("name"), len(row.get("bands") or []) or None, list(row.get("select") or []),
                [s for s in as_list(row.get("scale"))] if row.get("scale") not in (None, 1) else [], mean, std, row.get("suffix"),
            )
        )  # fmt: skip
    return made


@dataclass
class Layout:
    """Windows of a scene, how they are put together, and how many go through the model at once."""

    rows: Axis
    columns: Axis
    rule: str
    floor: float
    flat: bool
    batch: int
    fixed_batch: int | None


def _tiling(block: dict, tile: tuple[int, int], fixed: tuple) -> dict:
    crop = block["tiling"] or {}
    overlap = block["overlap"] or min(2 * DEFAULT_DELTA, tile[0] // 4)
    high, wide = crop.get("h") or tile[0], crop.get("w") or tile[1]
    for side, graph in zip((high, wide), fixed):
        if graph not in (None, side):
            raise bad(f"tiling takes windows of {high} x {wide}, the model takes {graph}: export it for that size, or change tiling")
    down, along = crop.get("h_stride") or high - overlap, crop.get("w_stride") or wide - overlap
    if not (0 < down <= high and 0 < along <= wide):
        raise StepError("model.bad_runtime", f"tiling: strides of {down} x {along} in windows of {high} x {wide}: they must be 1 to the window")
    delta = min(crop.get("delta", DEFAULT_DELTA), (high - down) // 2, (wide - along) // 2)
    padding = crop.get("padding", "reflect") or "reflect"
    if padding not in ("reflect", "replicate", "circular"):
        raise StepError("model.bad_runtime", f"tiling.padding is {padding!r}: use reflect, replicate or circular")
    return {
        "h": high, "w": wide, "down": down, "along": along, "delta": max(0, delta), "padding": padding,
        "average": crop.get("average", True), "blend": crop.get("blend", True), "batch": crop.get("batch"),
    }  # fmt: skip


def layout_of(block: dict, like_terratorch: bool, inputs: list[Input], height: int, width: int, classes: bool, log) -> Layout:
    """Where the windows lie. Sizes that the graph fixes win. Fails with ``model.bad_input``."""
    fixed_sizes = {tuple(i.port.fixed(axis) for axis in i.hw()) for i in inputs}
    batches = {i.port.fixed(0) for i in inputs} - {None}
    if len(fixed_sizes) > 1 or len(batches) > 1:
        raise bad("the inputs of the model differ in window or batch: export them alike")
    fixed, fixed_batch = fixed_sizes.pop(), next(iter(batches), None)
    said = block["tile"] if isinstance(block["tile"], (list, tuple)) else [block["tile"]] * 2
    tile = tuple(size or wanted or DEFAULT_TILE for size, wanted in zip(fixed, said))
    if any(wanted not in (None, size) for size, wanted in zip(tile, said)):
        log(f"the model takes windows of {tile[0]} x {tile[1]}, not of {said[0]} x {said[1]}: its own size is used")
    batch = fixed_batch or block["batch"] or (block["tiling"] or {}).get("batch") or DEFAULT_BATCH
    rule = "nearest" if classes else "average"
    if block["task"] in CHIP:
        # Not tiled: one answer for the scene, where the model takes it whole.
        free = [size is None and block["tile"] is None for size in fixed]
        tile = tuple(length if open_ else size for length, open_, size in zip((height, width), free, tile))
        whole = height <= tile[0] and width <= tile[1]
        if not whole:
            log(f"the model takes {tile[0]} x {tile[1]} pixels: one answer for each window of that size")
        make = (lambda n, t: terratorch(n, t, t, 0, True)) if whole else (lambda n, t: plain(n, t, 0, "mean"))
        return Layout(make(height, tile[0]), make(width, tile[1]), "nearest", 0, True, batch, fixed_batch)
    if not like_terratorch:
        if block["overlap"] >= min(tile):
            raise bad(f"inference.overlap is {block['overlap']}, the model's windows are {tile[0]} x {tile[1]}: it must be smaller")
        blend = block["blend"] or "mean"
        rows, columns = (plain(n, t, block["overlap"], blend) for n, t in zip((height, width), tile))
        return Layout(rows, columns, rule, 0, False, batch, fixed_batch)
    t = _tiling(block, tile, fixed)
    whole = height <= t["h"] and width <= t["w"]
    rows = terratorch(height, t["h"], t["down"], t["delta"], whole, t["padding"])
    columns = terratorch(width, t["w"], t["along"], t["delta"], whole, t["padding"])
    if rule == "average" and not t["average"]:
        rule = "ordered"
    return Layout(rows, columns, rule, 1e-6 if t["blend"] else 0, not t["blend"], batch, fixed_batch)


def gives_of(block: dict, model: Model) -> str:
    """What the graph's output holds: logits, probabilities or classes."""
    if block["gives"]:
        return block["gives"]
    if "float" not in model.output_type and "double" not in model.output_type or model.made_by in WHOLE:
        return "classes"
    return "probabilities" if model.made_by in ("Sigmoid", "HardSigmoid", "Softmax") else "logits"
