"""Below the picture: legend with shares, scale bar, north arrow and date."""

import functools
import math

import rasterio.warp
from PIL import Image, ImageDraw, ImageFont

MARGIN, LINE, SWATCH = 12, 20, 12
SIZE = 13
RIGHT = 200
MOST_ENTRIES = 24
INK = (30, 30, 30)


def draw_footer(width: int, raster, step: float, legend, statistics, date: str | None, ends: tuple[float, float]) -> Image.Image:
    """An RGB image ``width`` pixels wide; ``step`` is how many of the raster's pixels one of the picture shows.

    ``ends``: the values of a continuous prediction at the two ends of the colours.
    """
    font = ImageFont.load_default(SIZE)
    entries = _entries(legend, statistics, ends)
    columns = max(1, (width - RIGHT - 2 * MARGIN) // 190)
    height = max(92, 2 * MARGIN + LINE * -(-len(entries) // columns))
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    for n, (color, text) in enumerate(entries):
        x, y = MARGIN + n % columns * 190, MARGIN + n // columns * LINE
        draw.rectangle((x, y, x + SWATCH, y + SWATCH), fill=color, outline=INK)
        own = font_of(text)
        draw.text((x + SWATCH + 8, y - 2), _fit(draw, text, own, 190 - SWATCH - 16), fill=INK, font=own)
    left = width - RIGHT
    draw.text((left, MARGIN - 2), date or "date unknown", fill=INK, font=font)
    metres, angle = ground(raster)
    if metres:
        _scale_bar(draw, left, MARGIN + 42, metres * step, font)
    if angle is not None:
        _north(draw, width - MARGIN - 22, MARGIN + 30, angle, font)
    return image


@functools.cache
def _font(name: str):
    try:
        return ImageFont.truetype(name, SIZE)
    except OSError:  # the image has it; elsewhere its letters are boxes
        return ImageFont.load_default(SIZE)


def font_of(text: str):
    """The font that has the letters of ``text``: Pillow's own has Latin ones alone."""
    codes = [ord(letter) for letter in text if letter != "…"]
    if max(codes, default=0) < 0x250:
        return ImageFont.load_default(SIZE)
    return _font("wqy-microhei.ttc" if any(0x2E80 <= code < 0xFB00 for code in codes) else "DejaVuSans.ttf")


def _entries(legend, statistics, ends) -> list[tuple[tuple[int, int, int], str]]:
    if not statistics.discrete:
        spread = statistics.spread()
        if not spread["valid_pixels"]:
            return [((255, 255, 255), "no valid pixel")]
        if legend.stops:
            stops = legend.stops[:MOST_ENTRIES]
            return [(tuple(stop["rgb"]), f"{stop['label']}  {stop['value']:.4g}".strip()) for stop in stops]
        low, high = ends
        if low >= high:
            return [((127, 0, 0), f"{low:.4g}" + ("" if spread["minimum"] == spread["maximum"] else f", from {spread['minimum']:.4g} to {spread['maximum']:.4g}"))]
        return [
            ((0, 0, 0), f"{low:.4g}" + (" or less" if spread["minimum"] < low else "")),
            ((127, 0, 0), f"{low / 2 + high / 2:.4g}"),
            ((255, 0, 0), f"{high:.4g}" + (" or more" if spread["maximum"] > high else "")),
        ]
    if not statistics.classes:
        return [((128, 128, 128), "too many values for a legend")]
    rows = statistics.table(legend)
    shown = [(legend.color(row["value"]), f"{row['label']}  {row['share']:.1%}") for row in rows[:MOST_ENTRIES]]
    return shown + ([((255, 255, 255), f"and {len(rows) - MOST_ENTRIES} more")] if len(rows) > MOST_ENTRIES else [])


def _fit(draw, text: str, font, room: int) -> str:
    """``text`` that is at most ``room`` pixels long: of a name and its share, the name is cut."""
    name, gap, share = text.rpartition("  ")
    while len(name) > 4 and draw.textlength(name + gap + share, font=font) > room:
        name = name[:-2].rstrip("…") + "…"
    return name + gap + share


def ground(raster) -> tuple[float | None, float | None]:
    """(metres of a pixel along a row, radians of north clockwise from up) at the raster's centre; None without a CRS."""
    if raster.crs is None:
        return None, None
    column, row = raster.width / 2, raster.height / 2
    points = [raster.transform * (column + dx, row + dy) for dx, dy in ((0, 0), (1, 0))]
    try:
        lon, lat = rasterio.warp.transform(raster.crs, "EPSG:4326", *zip(*points))
        metres = _distance(lon, lat)
        up = rasterio.warp.transform("EPSG:4326", raster.crs, [lon[0]], [min(lat[0] + 1e-4, 90)])
    except Exception:  # PROJ knows many ways to refuse
        return None, None
    north = ~raster.transform * (up[0][0], up[1][0])
    dx, dy = north[0] - column, row - north[1]
    ok = math.isfinite(metres) and metres > 0 and math.hypot(dx, dy) > 0
    return (metres, math.atan2(dx, dy)) if ok else (None, None)


def _distance(lon, lat) -> float:
    """Metres on a sphere: a scale bar is read by eye."""
    turn = (lon[1] - lon[0] + 180) % 360 - 180
    x = math.radians(turn) * math.cos(math.radians(sum(lat) / 2))
    return 6_371_008.8 * math.hypot(x, math.radians(lat[1] - lat[0]))


def nice(metres: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not above ``metres``."""
    power = 10 ** math.floor(math.log10(metres))
    return max(f * power for f in (1, 2, 5) if f * power <= metres * 1.0000001)


def _scale_bar(draw, x: int, y: int, metres_a_pixel: float, font) -> None:
    length = nice(metres_a_pixel * 120)
    wide = round(length / metres_a_pixel)
    draw.rectangle((x, y, x + wide, y + 6), outline=INK, fill="white")
    draw.rectangle((x, y, x + wide // 2, y + 6), fill=INK)
    said = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    draw.text((x, y + 10), said, fill=INK, font=font)


def _north(draw, x: int, y: int, angle: float, font) -> None:
    """An arrow around (x, y) that points north, with its letter at the tip."""
    sin, cos = math.sin(angle), math.cos(angle)

    def at(right: float, up: float) -> tuple[float, float]:
        return x + right * cos + up * sin, y + right * sin - up * cos

    draw.polygon([at(0, 18), at(8, -14), at(0, -8)], fill=INK)
    draw.polygon([at(0, 18), at(-8, -14), at(0, -8)], outline=INK, fill="white")
    tip = at(0, 28)
    draw.text((tip[0] - 5, tip[1] - 8), "N", fill=INK, font=font)
