"""One scene through a model: windows are read ahead and written behind while the present ones compute."""

from __future__ import annotations

import os
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import numpy
import rasterio

from geodag import program
from geodag.inference import spec
from geodag.inference.block import CHIP, OUTPUTS, as_list, read_block
from geodag.inference.coordinates import coordinates
from geodag.inference.memory import Memory, give_back_large_blocks, megabytes, peak_mb
from geodag.inference.outputs import Outputs, sigmoid, softmax
from geodag.inference.scene import Gaps, Rows
from geodag.inference.session import Model
from geodag.inference.windows import Strip, checked
from geodag.program import StepError
from geodag.raster import open_scene

# Code and message of a model that ends its own process.
CRASHED = (
    "model.crashed",
    "the model ended its process by {signal} (SIGFPE: it divides a whole number by 0): correct it, or export it again with float32 and a newer opset",
)
AHEAD = 2  # groups of windows that are read before they are needed, and that may wait to be written


class Clock:
    """Seconds of each kind of work, one thread each; ``wait``: the kernel stood still for lack of a window or of room."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(("load", "read", "kernel", "write", "wait"), 0.0)

    @contextmanager
    def __call__(self, kind: str):
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[kind] += time.perf_counter() - started


class Reader:
    """Groups of windows, ready for the model: what one row of windows reads is held, never the scene."""

    def __init__(self, inputs: list[spec.Input], rasters: list[Rows], layout: spec.Layout, fixed: dict, clock: Clock) -> None:
        self.inputs, self.rasters, self.layout, self.fixed, self.clock = inputs, rasters, layout, fixed, clock

    def groups(self, most: int):
        """(row of windows, windows along it), top to bottom, each of about as many windows."""
        along = len(self.layout.columns.starts)
        parts = -(-along // most)
        for k in range(len(self.layout.rows.starts)):
            for part in range(parts):
                yield k, range(part * along // parts, (part + 1) * along // parts)

    def feeds(self, k: int, windows: range) -> dict[str, numpy.ndarray]:
        """[window, ...] of each input of the graph; a fixed batch is filled up with zeros."""
        with self.clock("read"):
            rows = self.layout.rows.pixels(k)
            columns = [self.layout.columns.pixels(j) for j in windows]
            first, last = min(int(c.min()) for c in columns), max(int(c.max()) for c in columns) + 1
            size = self.layout.fixed_batch or len(windows)
            made = {}
            for source, raster in zip(self.inputs, self.rasters):
                strip = source.prepare(raster.take(rows, slice(first, last)))
                batch = None
                for n, at in enumerate(columns):
                    straight = at[-1] - at[0] == len(at) - 1
                    x = source.shaped(strip[:, :, at[0] - first : at[-1] + 1 - first] if straight else strip[:, :, at - first])
                    if batch is None:
                        batch = numpy.zeros((size, *x.shape), x.dtype)
                    batch[n] = x
                made[source.port.name] = batch
            for name, values in self.fixed.items():
                made[name] = numpy.broadcast_to(values, (size, *values.shape)).copy()
            return made


class Kernel:
    """The model over one group; where a batch does not fit into memory, its halves."""

    def __init__(self, model: Model, block: dict, layout: spec.Layout, channels_last: bool, clock: Clock, log) -> None:
        self.model, self.block, self.layout, self.last, self.clock, self.log = model, block, layout, channels_last, clock, log
        self.channels: int | None = None

    def __call__(self, feeds: dict, count: int) -> numpy.ndarray:
        """[window, channel, row, column] of the first ``count`` windows. Fails with ``model.*``."""
        with self.clock("kernel"):
            return self._run(feeds)[:count]

    def _run(self, feeds: dict) -> numpy.ndarray:
        size = len(next(iter(feeds.values())))
        if size > self.layout.batch:
            return self._halves(feeds, size // 2)
        try:
            return self._told(self._channels(self.model.run(feeds), size))
        except MemoryError as failure:
            if size == 1 or self.layout.fixed_batch:
                tile = f"{self.layout.rows.tile} x {self.layout.columns.tile}"
                raise StepError(
                    "model.memory",
                    f"{size} windows of {tile} do not fit beside a model of {megabytes(self.model.weights)} MB: "
                    "use a smaller tile, or run it on a larger machine",
                ) from failure
        half = size // 2
        self.log(f"a batch of {size} windows does not fit into memory: {half} at once from here on")
        self.layout.batch = min(self.layout.batch, half)
        return self._halves(feeds, half)

    def _halves(self, feeds: dict, half: int) -> numpy.ndarray:
        parts = [{k: v[:half] for k, v in feeds.items()}, {k: v[half:] for k, v in feeds.items()}]
        return numpy.concatenate([self._run(part) for part in parts])

    def _told(self, y: numpy.ndarray) -> numpy.ndarray:
        """``y``, of as many channels as every window. Fails with ``model.bad_output``."""
        channels, self.channels = y.shape[1], self.channels or y.shape[1]
        if channels != self.channels or not channels:
            said = f"{self.channels} channels for one window and {channels} for another" if channels else "no channel at all"
            raise StepError("model.bad_output", f"the model gives {said}: export it with a fixed number of channels")
        return y

    def _channels(self, y: numpy.ndarray, batch: int) -> numpy.ndarray:
        tile, task = (self.layout.rows.tile, self.layout.columns.tile), self.block["task"]
        if y.ndim == 0 or len(y) != batch:
            others = [name for name in self.model.outputs if name != self.model.output]
            cure = f"; it also gives {', '.join(others)}: name one by inference.output" if others else ": export it with the batch as first axis"
            raise StepError("model.bad_output", f"output {self.model.output} of the model is {list(y.shape)} for {batch} windows{cure}")
        if y.dtype.kind != "f" or y.dtype.itemsize < 4:
            y = y.astype("float32")
        if task in CHIP and y.ndim in (1, 2):
            y = self._activated(y.reshape(batch, -1, 1, 1))
            return numpy.broadcast_to(y, (*y.shape[:2], *tile))
        if task in CHIP:
            raise StepError("model.bad_output", f"the model gives {list(y.shape)}: for task {task} it must give [window, class]")
        if y.ndim == 2:
            raise StepError("model.bad_output", f"the model gives {list(y.shape)}, one answer a window: set inference.task: classification")
        if y.ndim == 5 and 1 in y.shape[1:3]:
            y = y.squeeze(2 if y.shape[2] == 1 else 1)
        if y.ndim == 3:
            y = y[:, None]
        last = y.ndim == 4 and y.shape[1:3] == tile and (self.last or y.shape[2:] != tile)
        return self._activated(checked(numpy.moveaxis(y, -1, 1) if last else y, batch, *tile))

    def _activated(self, y: numpy.ndarray) -> numpy.ndarray:
        if self.block["activation"] == "softmax":
            if y.shape[1] == 1:
                raise StepError("model.bad_output", "activation softmax over one channel is 1 everywhere: set inference.activation: sigmoid")
            return softmax(y, 1)
        return sigmoid(y) if self.block["activation"] == "sigmoid" else y


def cache_bytes(scenes) -> int:
    """What GDAL may hold: the block that is decoded, and the rows of blocks that are written and masked."""
    scene = scenes[0]
    blocks = sum(s.block_shapes[0][0] * s.block_shapes[0][1] * s.count * 4 for s in scenes)
    return 3 * blocks // 2 + scene.width * 512 * 3 + (4 << 20)


def plain_name(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


def modality_keys(job, inputs: list[spec.Input]) -> list[tuple[str, int]]:
    """(what follows an artifact's key, position in the spec) of each input: by its name, else by its place.

    Fails with ``model.bad_input``.
    """
    tags = [key.partition(":")[2] for key in job.artifacts if key.startswith("imputed_input_image:")]
    if not tags and len(inputs) == 1:
        return [("", 0)]
    names = {plain_name(tag): n for n, tag in enumerate(tags)}
    wanted = [plain_name(i.name or i.port.name) for i in inputs]
    if not all(name in names for name in wanted):
        if len(tags) != len(inputs):
            said = ", ".join(i.name or i.port.name for i in inputs)
            raise spec.bad(f"the model takes {said}, model_input_data_spec gives {', '.join(tags) or 'one modality'}: name them alike (modality_tag)")
        wanted = list(names)
    return [(f":{tags[names[name]]}", names[name]) for name in wanted]


def gaps_of(job, stack, scene, key: tuple[str, int], value) -> Gaps | None:
    """Where the scene as delivered has no value, for a model that was trained with a value of its own there."""
    artifact, given = f"original_input_image{key[0]}", job.parameters.get("source_bands") or []
    if value is None or artifact not in job.artifacts:
        return None
    original = stack.enter_context(open_scene(job.read(artifact), "input"))
    indexes = given[key[1]] if key[1] < len(given) else range(scene.count)
    bands = [index + 1 for index in indexes] if max(indexes, default=-1) < original.count else list(range(1, scene.count + 1))
    if original.shape != scene.shape or len(bands) != scene.count or max(bands) > original.count:
        return None
    return Gaps(original, bands)


def infer(job, folder: str = "/model") -> None:
    """Runs ``folder``/model.onnx over the model input; what it is run by: ``read_block``.

    Holds the windows of a few groups and one row of windows of scores, never the scene. Fails with
    ``model.*``, ``artifact.missing``, ``input.*``, ``step.disk``.
    """
    give_back_large_blocks()
    started, clock, p = time.perf_counter(), Clock(), job.parameters
    memory = Memory(p.get("memory_mb"))
    path = os.path.join(folder, p.get("weights") or "model.onnx")
    block, like_terratorch = read_block(p, os.path.dirname(path))
    with clock("load"):
        ranks = (1, 2) if block["task"] in CHIP else (3, 4, 5)
        model = Model(path, memory, bool(p.get("gpu")), job.log, block["output"], ranks)
    inputs = spec.inputs_of(block, model)
    mask = os.path.join(job.inputs, "valid.tif")
    if not os.path.isfile(mask):
        raise StepError("artifact.missing", "valid.tif is not among the inputs: give the whole folder that url-connector made")
    keys = modality_keys(job, inputs)
    paths = [job.read(f"imputed_input_image{suffix}") for suffix, _ in keys]
    with ExitStack() as stack:
        scenes = [stack.enter_context(open_scene(path, "input")) for path in paths]
        if len({scene.shape for scene in scenes}) > 1:
            sizes = ", ".join(f"{os.path.basename(s.name)} {s.width} x {s.height}" for s in scenes)
            raise spec.bad(f"the inputs differ in size ({sizes}): bring them to one grid")
        stack.enter_context(rasterio.Env(GDAL_CACHEMAX=cache_bytes(scenes)))
        valid = stack.enter_context(open_scene(mask, "input"))
        _scene(job, block, like_terratorch, model, inputs, keys, scenes, valid, stack, memory, clock)
    wall = time.perf_counter() - started
    work = wall - clock.seconds["load"]
    # Of all threads, the imports of this program with them: what a scene costs a machine that it shares.
    seconds = clock.seconds | {"wall": wall, "processor": program.loading + time.process_time()}
    job.details |= {
        "seconds": {kind: round(value, 3) for kind, value in seconds.items()},
        "kernel_share": round(clock.seconds["kernel"] / work, 3),
        "provider": model.provider,
        "threads": model.threads,
        "peak_mb": peak_mb(),
    }
    job.log(f"prediction {job.details}")


def _scene(job, block, like_terratorch, model, inputs, keys, scenes, valid, stack, memory, clock) -> None:
    first = scenes[0]
    for source, scene in zip(inputs, scenes):
        source.fit(scene.count, block["frames"] if block["temporal"] or len(source.port.shape) == 5 else None, block["channels_last"])
    gives = spec.gives_of(block, model)
    kept = as_list(block["output_on_inference"])
    unknown = set(kept) - set(OUTPUTS)
    if unknown:
        raise StepError("model.bad_runtime", f"output_on_inference: {', '.join(sorted(unknown))} is not known: use {', '.join(OUTPUTS)}")
    layout = spec.layout_of(block, like_terratorch, inputs, first.height, first.width, gives == "classes", job.log)
    if block["activation"] != "none":
        gives = "probabilities"
    threshold = block["threshold"] if block["threshold"] is not None else 0.5 if gives == "probabilities" else 0.0
    dates = as_list(job.parameters.get("dates"))
    fixed = {name: coordinates(name, first, dates, inputs[0].frames) for name in block["coords"] if name in model.inputs}
    pixels = layout.rows.tile * layout.columns.tile
    bands = sum(len(source.flat["select"]) for source in inputs)
    memory.need("windows", (2 * AHEAD + 2) * layout.batch * pixels * bands * 4)
    rasters = [
        Rows(scene, layout.rows.tile, gaps_of(job, stack, scene, key, block["nan_replace"]), block["nan_replace"])
        for key, scene in zip(keys, scenes)
    ]

    def room(channels: int, height: int, width: int) -> None:
        extra = sum(kind != "prediction" for kind in kept)
        memory.need("a row of windows of scores", (3 + extra) * channels * height * width * 4)

    stem = os.path.splitext(os.path.basename(first.name))[0]
    extra = [kind for kind in kept if kind != "prediction" and block["task"] not in ("regression", "scalar_regression")]
    outputs = Outputs(job, stack.enter_context(ExitStack()), first, valid, stem, block["task"], gives, threshold, extra)
    outputs.numbered = block["gives"] == "classes" or model.made_by in ("ArgMax", "ArgMin")
    strip = Strip(layout.rows, layout.columns, layout.rule, layout.floor, layout.flat, room)
    reader = Reader(inputs, rasters, layout, fixed, clock)
    kernel = Kernel(model, block, layout, inputs[0].channels_last, clock, job.log)
    windows = _pipeline(reader, kernel, strip, outputs, layout, clock, job.log)
    outputs.check()
    with clock("write"):
        outputs.stack.close()
    if outputs.counted:
        job.details["classes"] = {str(value): outputs.counted[value] for value in sorted(outputs.counted)}
    if outputs.no_number:
        job.log(f"{outputs.no_number} pixels got no number (NaN) from the model: they are nodata")
        job.details["nan_pixels"] = outputs.no_number
    job.details |= {"windows": windows, "batch": layout.batch, "memory_mb": {k: megabytes(v) for k, v in memory.parts.items()}}


def _pipeline(reader: Reader, kernel: Kernel, strip: Strip, outputs: Outputs, layout, clock: Clock, log) -> int:
    """Reads, computes and writes side by side; the number of windows."""
    total = len(layout.rows.starts) * len(layout.columns.starts)

    def take_in(k: int, windows: range, y: numpy.ndarray) -> None:
        with clock("write"):
            if windows.start == 0:
                done = strip.finish(layout.rows.starts[k]) if k else None
                if done:
                    outputs.write(*done)
            for n, j in enumerate(windows):
                strip.add(k, j, y[n])

    groups, done = reader.groups(layout.batch), 0
    with ThreadPoolExecutor(1) as reading, ThreadPoolExecutor(1) as writing:
        ahead, behind = deque(), deque()
        try:
            for _ in range(AHEAD):
                _ahead(ahead, groups, reading, reader)
            while ahead:
                k, windows, future = ahead.popleft()
                with clock("wait"):
                    feeds = future.result()
                _ahead(ahead, groups, reading, reader)
                y = kernel(feeds, len(windows))
                outputs.open(y.shape[1])
                behind.append(writing.submit(take_in, k, windows, y))
                if len(behind) > AHEAD:
                    with clock("wait"):
                        behind.popleft().result()
                done += len(windows)
                if windows.stop == len(layout.columns.starts):
                    log(f"window {done} of {total}")
            for future in behind:
                future.result()
            with clock("write"):
                last = strip.finish(layout.rows.length)
                if last:
                    outputs.write(*last)
        except BaseException:
            reading.shutdown(wait=True, cancel_futures=True)
            writing.shutdown(wait=True, cancel_futures=True)
            raise
    return total


def _ahead(ahead: deque, groups, reading, reader: Reader) -> None:
    group = next(groups, None)
    if group:
        ahead.append((*group, reading.submit(reader.feeds, *group)))
