"""Small items of a made-up catalogue: COGs in a RangeServer's memory, and parameters that read them."""

import numpy
from rasterio.io import MemoryFile
from rasterio.transform import from_origin

G = {"epsg": 32631, "transform": [500000, 10, 0, 5000000, 0, -10], "width": 912, "height": 512}


def cog_bytes(array, origin, epsg=32631, pixel=10, nodata=0, driver="COG", **profile) -> bytes:
    """[band, row, column] as the bytes of a COG with blocks of 256 pixels."""
    array = array[None] if array.ndim == 2 else array
    options = {"blocksize": 256, "compress": "DEFLATE"} if driver == "COG" else {}
    with MemoryFile() as memory:
        with memory.open(
            driver=driver, count=array.shape[0], height=array.shape[1], width=array.shape[2], dtype=array.dtype,
            crs=f"EPSG:{epsg}", transform=from_origin(*origin, pixel, pixel), nodata=nodata, **{**options, **profile},
        ) as raster:
            raster.write(array)
        return memory.read()


def full(dn: int, shape=(512, 512), dtype="uint16") -> numpy.ndarray:
    return numpy.full(shape, dn, dtype)


def band(href: str, **more) -> dict:
    """A FrozenBand."""
    return {
        "href": href, "file_band": 1, "scale": 1, "offset": 0, "nodata": 0, "class_band": False, "epsg": None,
        "transform": None, "shape": None, "gsd": None, **more,
    }


def item(name: str, bands: dict, **more) -> dict:
    """A FrozenItem."""
    return {
        "id": name, "collection": "sentinel_aws/sentinel-2-l2a", "datetime": "2024-06-10T10:50:31.024Z", "cloud_cover": 5, "tile": None,
        "baseline": None, "platform": None, "orbit": None, "footprint": {"type": "Polygon", "coordinates": []}, "bands": bands,
        "warnings": [], **more,
    }


def spec(name: str, **more) -> dict:
    """A band that is asked for."""
    return {"band_name": name, "scaling_factor": 1, "offset": 0, "class_band": False, "model": True, **more}


def modality(items: list, bands=("blue",), **more) -> dict:
    return {
        "name": "S2L2A", "collection": "sentinel_aws/sentinel-2-l2a", "date": "2024-06-10", "file_suffix": None, "hosts": [],
        "driver": "GTiff", "grid": G, "items": items, "process": None, "radiometry": "harmonised", "resampling": "nearest",
        "bands": [spec(one) if isinstance(one, str) else one for one in bands], "transform": None, **more,
    }


def parameters(*modalities, **more) -> dict:
    return {
        "task_id": "f-task_0", "allow_private_hosts": True, "max_bytes": 4_000_000_000, "threads": 2, "clip": None,
        "modalities": list(modalities), **more,
    }
