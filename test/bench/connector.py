"""The data connector beside odc-stac and stackstac, on the same items in one run: bytes asked, peak memory, time.

Run by `npm run bench:connector` in a venv that has both; the step runs as a process of its own, as in its container.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
sys.path.insert(0, os.path.join(ROOT, "steps/data-connector"))
# The stand-in knows GET alone.
os.environ.update(CPL_VSIL_CURL_USE_HEAD="NO", GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR")

import numpy  # noqa: E402
import pystac  # noqa: E402
from range_server import RangeServer  # noqa: E402
from rasterio.warp import transform_bounds  # noqa: E402
from scenes import G, band, cog_bytes, item, modality, parameters  # noqa: E402

BANDS = ("blue", "red")
SIDES = (1372, 2744, 5488)


def served(server, side: int) -> list[dict]:
    """Two items of one day that share half their width; pixels as noisy as land."""
    noise = numpy.random.default_rng(1).integers(900, 1400, (512, 512), "uint16")
    data = {}
    for n, west in enumerate((500000, 500000 + side // 2 * 10)):
        array = numpy.tile(noise + n, (-(-side // 512),) * 2)[:side, :side]
        data[f"I{n}"] = (west, cog_bytes(array, (west, 5000000), blocksize=512, overviews="NONE"))
    items = []
    for name, (west, packed) in data.items():
        bands = {}
        for one in BANDS:
            path = f"/{side}-{name}-{one}.tif"
            server.files[path] = packed
            bands[one] = band(server.url(path), epsg=32631, transform=[west, 10, 0, 5000000, 0, -10], shape=[side, side])
        items.append(item(name, bands, datetime=f"2024-06-10T10:50:3{len(items)}Z"))
    return items


def step(items: list[dict], side: int) -> dict:
    """Details of the step's own result, and its wall time in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        document = os.path.join(folder, "parameters.json")
        with open(document, "w", encoding="utf-8") as file:
            json.dump({"parameters": parameters(modality(items, BANDS, grid={**G, "width": side, "height": side})), "artifacts": {}}, file)
        env = {**os.environ, "PYTHONPATH": os.path.join(ROOT, "containers/raster")}
        began = time.monotonic()
        main = os.path.join(ROOT, "steps/data-connector/program/main.py")
        subprocess.run([sys.executable, main, document, folder, folder + "/out"], env=env, check=True, stdout=subprocess.DEVNULL)
        with open(folder + "/out/result.json", encoding="utf-8") as file:
            result = json.load(file)
    if result["error"]:
        raise SystemExit(str(result["error"]))
    return {**result["details"], "wall": time.monotonic() - began}


def stac_items(items: list[dict]) -> list[pystac.Item]:
    """The same items as a catalogue would give them."""
    found = []
    for one in items:
        first = one["bands"][BANDS[0]]
        west, rows = first["transform"][0], first["shape"][0]
        box = transform_bounds("EPSG:32631", "EPSG:4326", west, 5000000 - rows * 10, west + rows * 10, 5000000)
        ring = [[box[0], box[1]], [box[2], box[1]], [box[2], box[3]], [box[0], box[3]], [box[0], box[1]]]
        made = pystac.Item(
            one["id"], {"type": "Polygon", "coordinates": [ring]}, list(box), pystac.utils.str_to_datetime(one["datetime"]),
            {"proj:epsg": 32631, "proj:code": "EPSG:32631"}, collection="s2",
        )
        for name, file in one["bands"].items():
            transform = [10, 0, file["transform"][0], 0, -10, 5000000]
            extra = {"proj:shape": file["shape"], "proj:transform": transform, "raster:bands": [{"nodata": 0, "data_type": "uint16"}]}
            made.add_asset(name, pystac.Asset(file["href"], media_type=pystac.MediaType.COG, roles=["data"], extra_fields=extra))
        found.append(made)
    return found


def others(items: list[dict], side: int) -> None:
    import odc.stac
    import stackstac

    found, west = stac_items(items), 500000
    began = time.monotonic()
    cube = odc.stac.load(found, bands=BANDS, crs="EPSG:32631", resolution=10, groupby="solar_day", x=(west, west + side * 10), y=(5000000 - side * 10, 5000000))
    print(f"  odc-stac {odc.stac.__version__}: {time.monotonic() - began:.2f} s into memory, {cube.sizes['x']} x {cube.sizes['y']}")
    began = time.monotonic()
    stack = stackstac.stack(
        found, assets=list(BANDS), epsg=32631, resolution=10, bounds=(west, 5000000 - side * 10, west + side * 10, 5000000), rescale=False,
        fill_value=numpy.float32(0), dtype="float32",
    )  # fmt: skip
    array = stackstac.mosaic(stack, reverse=True, nodata=0).compute()
    print(f"  stackstac {stackstac.__version__}: {time.monotonic() - began:.2f} s into memory, {array.sizes['x']} x {array.sizes['y']}")


def whole(server):
    """GDAL learns a file's size by asking for all of it, and hangs up."""
    def answer(handler, path: str) -> bool:
        if "Range" in handler.headers or path not in server.files:
            return False
        handler.say(200, server.files[path], Accept_Ranges="bytes")
        return True

    return answer


def main() -> None:
    server, peaks = RangeServer(), []
    server.before = whole(server)
    for side in SIDES:
        items = served(server, side)
        # The first item covers the grid: not a byte of the second is needed.
        need = sum(len(server.files[f"/{side}-I0-{one}.tif"]) for one in BANDS)
        told = step(items, side)
        peaks.append(told["peak_memory_bytes"])
        print(
            f"{side} x {side} x {len(BANDS)}: {told['wall']:.2f} s with COGs, bytes asked over needed {told['bytes'] / need:.3f}, "
            f"{told['requests']} requests, peak {peaks[-1] / 2**20:.0f} MB, {peaks[-1] / peaks[0]:.2f} of the first"
        )
        if side == SIDES[1]:
            others(items, side)
    server.close()


if __name__ == "__main__":
    main()
