"""Windows over a scene: where they lie, what of each is kept, and how overlaps become one value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy

from geodag.program import StepError

# Weight of a window that only closes a gap between two others: too small to change a sum of float32.
FAINT = numpy.float32(1e-12)


@dataclass(frozen=True)
class Axis:
    """One side of the scene: window ``k`` gives its pixels ``lead`` to ``lead + cover`` for the scene's ``starts[k]`` on."""

    length: int
    tile: int
    starts: tuple[int, ...]
    lead: int
    cover: int
    line: numpy.ndarray
    padding: str = "reflect"
    faint: frozenset[int] = frozenset()

    def pixels(self, k: int) -> numpy.ndarray:
        """[tile] the scene's pixels that window ``k`` reads; beyond the rim the scene goes on mirrored."""
        at = numpy.arange(self.tile) + self.starts[k] - self.lead
        if self.padding == "replicate":
            return at.clip(0, self.length - 1)
        if self.padding == "circular":
            return at % self.length
        period = max(1, 2 * (self.length - 1))
        at = numpy.abs(at) % period
        return numpy.minimum(at, period - at)

    def span(self, k: int) -> slice:
        """The scene's pixels that window ``k`` gives."""
        return slice(self.starts[k], min(self.starts[k] + self.cover, self.length))


def plain(length: int, tile: int, overlap: int, blend: str) -> Axis:
    """Windows that share ``overlap`` pixels, the last one at the rim; ``blend`` mean, or ramp towards the rim."""
    ramp = numpy.minimum((numpy.arange(tile) + 1) / (overlap + 1), 1)
    line = numpy.ones(tile) if blend == "mean" or overlap == 0 else numpy.minimum(ramp, ramp[::-1])
    if length <= tile:
        starts = [0]
    else:
        starts = sorted({min(i, length - tile) for i in range(0, length, tile - overlap)})
    return Axis(length, tile, tuple(starts), 0, tile, line.astype("float32"))


def terratorch(length: int, tile: int, stride: int, delta: int, whole: bool = False, padding: str = "reflect") -> Axis:
    """Windows as terratorch's tiled_inference lays them over a scene that is padded by ``delta``.

    ``whole``: the scene is one window, in its centre. Where terratorch leaves a row between its last two
    windows without any value, one more window closes it.
    """
    if whole or length + 2 * delta < tile:
        return Axis(length, tile, (0,), (tile - length) // 2, length, numpy.ones(length, "float32"), padding)
    last = length + 2 * delta - tile
    starts = [*range(0, last - 1, stride), last]
    cover, faint = tile - 2 * delta, set()
    for k in reversed(range(len(starts))):
        before = starts[k - 1] + cover if k else 0
        if starts[k] > before:
            starts.insert(k, before)
            faint.add(k)
    over = min(tile // 2, tile - stride) - delta
    line = numpy.ones(cover, "float32")
    if over > 0:
        steps = numpy.arange(over, dtype="float32") + 1
        fall = (numpy.cos(numpy.float32(numpy.pi) * steps / (over + 1)) / 2 + 0.5).astype("float32")
        line[:over], line[-over:] = fall[::-1], fall
    return Axis(length, tile, tuple(starts), delta, cover, line, padding, frozenset(faint))


def order_of(rows: Axis, columns: Axis, k: int, j: int) -> int:
    """Which window hides which where terratorch does not average: right rim, bottom rim, corner, the rest."""
    bottom, right = k == len(rows.starts) - 1, j == len(columns.starts) - 1
    return 3 if bottom and right else 2 if bottom else 1 if right else 4


class Strip:
    """One row of windows, [channel, row, column] float32: filled window by window, given up from the top.

    ``rule`` average: weighted mean of all windows; nearest: the window whose centre is nearest (for
    numbers that have no mean); ordered: terratorch's order of overwriting.
    """

    def __init__(self, rows: Axis, columns: Axis, rule: str, floor: float, flat: bool, room) -> None:
        self.rows, self.columns, self.rule, self.room = rows, columns, rule, room
        if rule == "nearest":
            lines = [numpy.minimum(numpy.arange(a.cover) + 1, numpy.arange(a.cover)[::-1] + 1) for a in (rows, columns)]
        else:
            lines = [numpy.ones(a.cover) if flat else a.line for a in (rows, columns)]
        self.weight = numpy.outer(*(line.astype("float32") for line in lines)) + numpy.float32(floor)
        self.top = 0
        self.total = self.norm = None

    def add(self, k: int, j: int, y: numpy.ndarray) -> None:
        """Takes in ``y`` [channel, tile, tile] of window ``k`` down and ``j`` along."""
        down, along = self.rows.span(k), self.columns.span(j)
        h, w = down.stop - down.start, along.stop - along.start
        if self.total is None:
            height = min(self.rows.cover, self.rows.length)
            self.room(y.shape[0], height, self.columns.length)
            self.total = numpy.zeros((y.shape[0], height, self.columns.length), "float32")
            self.norm = numpy.zeros(self.total.shape[1:], "float32")
        part = y[:, self.rows.lead : self.rows.lead + h, self.columns.lead : self.columns.lead + w]
        at = numpy.s_[down.start - self.top : down.stop - self.top, along]
        faint = k in self.rows.faint or j in self.columns.faint
        if self.rule == "average":
            weight = self.weight[:h, :w] * FAINT if faint else self.weight[:h, :w]
            self.total[:, at[0], at[1]] += part * weight
            self.norm[at] += weight
            return
        if self.rule == "ordered":
            weight = numpy.full((h, w), FAINT if faint else order_of(self.rows, self.columns, k, j), "float32")
        else:
            weight = self.weight[:h, :w]
        wins = weight >= self.norm[at]
        self.total[:, at[0], at[1]][:, wins] = part[:, wins]
        self.norm[at][wins] = weight[wins]

    def finish(self, row: int):
        """(first row, [channel, row, column]) of what lies above ``row`` and is complete; None where that is nothing."""
        high = row - self.top
        if high <= 0:
            return None
        done = self.total[:, :high] / self.norm[:high] if self.rule == "average" else self.total[:, :high].copy()
        first, self.top = self.top, row
        for array in (self.total, self.norm):
            if high < array.shape[-2]:
                array[..., :-high, :] = array[..., high:, :]
            array[..., max(0, array.shape[-2] - high) :, :] = 0
        return first, done


def checked(strip: numpy.ndarray, batch: int, height: int, width: int) -> numpy.ndarray:
    """An output as [window, channel, row, column] of the windows' size. Fails with ``model.bad_output``."""
    if strip.shape[0] == batch and strip.shape[2:] == (height, width):
        return strip
    raise StepError(
        "model.bad_output",
        f"the model gives {list(strip.shape)} for {batch} windows of {height} x {width}: "
        "it must give [window, channel, row, column] of the same size",
    )
