"""How much of the area has data, and how much of that is clear: of the box itself, not of the catalogue's tile."""

from __future__ import annotations

import numpy

from fuse import NOBODY, Canvas

# Scene classification of Sen2Cor: defective, shadow, cloud of medium and high probability, cirrus.
SCL_UNCLEAR = (1, 3, 8, 9, 10)
# HLS v2 Fmask, bits 0 to 3: cirrus, cloud, adjacent, shadow. Landsat Collection 2 QA_PIXEL, bits 1 to 4: dilated, cirrus, cloud, shadow.
FLAGS = {"fmask": 0b1111, "qa": 0b1111, "qa_pixel": 0b11110}


def unclear(name: str, codes: numpy.ndarray) -> numpy.ndarray:
    """True where a class band sees cloud or its shadow."""
    if name.lower() == "scl":
        return numpy.isin(codes, SCL_UNCLEAR)
    return codes.astype("int64") & FLAGS[name.lower()] != 0


def cover_of(canvas: Canvas, clip, names: list[str]) -> tuple[float, float | None]:
    """(share of the grid or of the clip polygon with data, share of that data that is clear); None without a class band."""
    masks = [(position, name) for position, name in enumerate(names) if name.lower() in ("scl", *FLAGS)]
    full = held = clear = 0
    for window in canvas.grid.windows():
        full += int(numpy.count_nonzero(~clip.outside(window))) if clip else window.width * window.height
        data = canvas.owner(window) != NOBODY
        held += int(numpy.count_nonzero(data))
        if masks:
            position, name = masks[0]
            clear += int(numpy.count_nonzero(data & ~unclear(name, canvas.read(position, window))))
    return held / full if full else 0.0, clear / held if masks and held else None
