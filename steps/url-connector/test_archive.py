"""Zips of strangers: one scene, many, or a Shapefile; bombs, lies and clutter (program/archive.py, scenes.py, layers.py)."""

import importlib.util
import io
import json
import os
import stat
import struct
import subprocess
import sys
import types
import zipfile
from contextlib import contextmanager

import numpy
import pytest
import rasterio

from geodag.program import StepError

HERE = os.path.dirname(os.path.abspath(__file__))
WITH_GEODAG = {**os.environ, "PYTHONPATH": os.path.join(HERE, "../../containers/raster"), "PYTHONDONTWRITEBYTECODE": "1"}


def ramp(bands: int = 1, height: int = 8, width: int = 9) -> numpy.ndarray:
    return (numpy.arange(bands * height * width).reshape(bands, height, width) % 100 + 1).astype("uint16")


@pytest.fixture
def deliver(monkeypatch, tmp_path):
    """program/deliver.py in this process: what it delivers is not yet decoded, so that no step's start is waited for."""
    monkeypatch.syspath_prepend(os.path.join(HERE, "program"))
    spec = importlib.util.spec_from_file_location("deliver", os.path.join(HERE, "program/deliver.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "out").mkdir()

    def brought(room, file: str = "scene.zip", layer: bool = False, max_bytes: int = 10**9) -> bytes:
        job = types.SimpleNamespace(inputs=str(room.inputs), outputs=str(tmp_path / "out"), log=print, parameters={"max_bytes": max_bytes})
        name = module.deliver(job, {"file": file}, "stem", layer)
        assert os.listdir(job.outputs) == [name] and name.startswith("stem.")
        return (tmp_path / "out" / name).read_bytes()

    yield brought
    for name in ("archive", "layers"):
        sys.modules.pop(name, None)


@contextmanager
def failing(code: str):
    with pytest.raises(StepError) as failure:
        yield
    assert failure.value.code == code, failure.value
    assert "/tmp/" not in str(failure.value)


def zipped(room, entries, name: str = "scene.zip", method: int = zipfile.ZIP_DEFLATED) -> None:
    """``entries`` by name, or as (ZipInfo, content) pairs."""
    with zipfile.ZipFile(room.inputs / name, "w", method) as archive:
        for entry, content in entries.items() if isinstance(entries, dict) else entries:
            archive.writestr(entry, content)


@pytest.fixture
def tif(room) -> bytes:
    return room.tif("one.tif", ramp()).read_bytes()


# One scene, and what stands beside it

CLUTTER = [
    "__MACOSX/a/._x.tif", "a/__MACOSX/._x.tif", "a/._x.tif", "._x.tif", "a/.hidden.tif", "~$x.tif", "a/@eaDir/x.tif", "x.tif.ovr", "x.tif.aux.xml", "x.tfw",
    "Thumbs.db", ".DS_Store", "a\\__MACOSX\\x.tif", "folder.tif/",
]  # fmt: skip


@pytest.mark.parametrize("clutter", CLUTTER)
def test_what_systems_add_is_no_second_scene(room, tif, deliver, clutter):
    zipped(room, {"a/x.tif": tif, clutter: b"" if clutter.endswith("/") else b"\0\5\x16\7" * 9})
    assert deliver(room) == tif


@pytest.mark.parametrize("name", ["a/b/scene ä.TIFF", "scene.tif", "a\\b\\scene.TIF", "../../../evil.tif", "/abs/x.tif", "C:\\x.tif", "日本.tif"])
def test_a_scene_under_any_name_is_written_under_ours(room, tif, deliver, name):
    zipped(room, {"a/b/": b"", name: tif, "a/readme.txt": b"x"})
    assert deliver(room) == tif
    assert not list(room.folder.parent.rglob("evil.tif"))


def test_a_link_is_no_scene(room, tif, deliver):
    link = zipfile.ZipInfo("y.tif")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    zipped(room, [(link, "/etc/passwd"), ("x.tif", tif)])
    assert deliver(room) == tif


def test_of_two_entries_of_one_name_the_later_counts(room, tif, deliver):
    with pytest.warns(UserWarning):
        zipped(room, [("x.tif", b"old"), ("x.tif", tif)])
    assert deliver(room) == tif


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2])
def test_other_ways_to_pack(room, tif, deliver, method):
    zipped(room, {"x.tif": tif}, method=method)
    assert deliver(room) == tif


def test_a_sparse_scene_is_no_bomb(room):
    """18 MB that deflate to some 20 KB, as a tile that is mostly nodata does."""
    scene = numpy.zeros((1, 3000, 3000), "uint16")
    scene[0, 5, 7] = 9
    path = room.tif("one.tif", scene, nodata=0)
    zipped(room, {"x.tif": path.read_bytes()})
    assert path.stat().st_size > 400 * (room.inputs / "scene.zip").stat().st_size
    assert room.fetch("scene.zip").pixels("original_input_image")[0, 5, 7] == 9


# Refusals

@pytest.mark.parametrize(
    "entries, code",
    [
        ({"a.tif": b"II*\0", "b.tif": b"II*\0"}, "source.zip_many"),
        ({"a.txt": b"x"}, "source.zip_empty"),
        ({}, "source.zip_empty"),
        ({"inner.zip": b"PK\3\4"}, "source.zip_empty"),
        ({"a.shp": b"x", "a.shx": b"x", "a.dbf": b"x"}, "source.zip_empty"),
        ({"a.tif": b""}, "source.not_raster"),
        ({"a.tif": b"<html>"}, "source.not_raster"),
        ({"a.tif": b"<VRTDataset>"}, "source.not_raster"),
        ({"a.tif": b"PK\x03\x04"}, "source.not_raster"),
        ({"a.tif": b"\0" * 3_000_000}, "source.not_raster"),
        ({f"{i}.txt": b"" for i in range(1001)}, "source.zip_bomb"),
        ({"x" * 60000 + str(i): b"" for i in range(20)}, "source.zip_bomb"),
    ],
)
def test_zips_that_are_refused(room, deliver, entries, code):
    zipped(room, entries)
    with failing(code):
        deliver(room)


def test_a_zip_that_unpacks_to_more_than_is_allowed(room, deliver):
    zipped(room, {"a.tif": b"\0" * 3_000_000})
    with failing("source.zip_bomb"):
        deliver(room, max_bytes=1_000_000)
    zipped(room, {"a.tif": b"II*\0", "b.bin": b"\0" * 3_000_000})
    with failing("source.zip_bomb"):
        deliver(room, max_bytes=1_000_000)


def test_entries_that_share_their_bytes(room, deliver):
    """As in Fifield's overlapped zips: one kernel of 1:1000, listed often."""
    zipped(room, {"a.tif": b"\0" * 30_000_000})
    data = (room.inputs / "scene.zip").read_bytes()
    at = data.rindex(b"PK\1\2")
    listed, end = data[at : data.rindex(b"PK\5\6")], bytearray(data[data.rindex(b"PK\5\6") :])
    end[8:12], end[12:16] = struct.pack("<HH", 100, 100), struct.pack("<I", len(listed) * 100)
    (room.inputs / "scene.zip").write_bytes(data[:at] + listed * 100 + bytes(end))
    with failing("source.zip_bomb"):
        deliver(room)


def test_a_packing_whose_memory_the_zip_itself_names(room, tif, deliver):
    zipped(room, {"a.tif": tif}, method=zipfile.ZIP_LZMA)
    with failing("source.bad_zip"):
        deliver(room)


def patched(content: bytes, at_local: int, at_list: int, value: bytes) -> bytes:
    """The zip of one entry with the same field changed in both its headers."""
    data, listed = bytearray(content), content.rindex(b"PK\x01\x02")
    data[at_local : at_local + len(value)] = value
    data[listed + at_list : listed + at_list + len(value)] = value
    return bytes(data)


LIES = {
    "a password": lambda z, n: patched(z, 6, 8, b"\1"),
    "fewer bytes": lambda z, n: patched(z, 22, 24, struct.pack("<I", n - 50)),
    "more bytes": lambda z, n: patched(z, 22, 24, struct.pack("<I", n + 50)),
    "fewer packed bytes": lambda z, n: patched(z, 18, 20, struct.pack("<I", 20)),
    "checksum": lambda z, n: patched(z, 14, 16, b"abcd"),
    "method": lambda z, n: patched(z, 8, 10, b"\x63\0"),
    "no end": lambda z, n: z[:-30],
    "half": lambda z, n: z[: len(z) // 2],
    "a beginning": lambda z, n: b"PK\x03\x04",
    "4 GB": lambda z, n: patched(z, 22, 24, b"\xff\xff\xff\xf0"),
    "damaged": lambda z, n: z[:60] + bytes(40) + z[100:],
}


@pytest.mark.parametrize("lie", LIES)
def test_zips_that_lie(room, tif, deliver, lie):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.tif", tif)
    (room.inputs / "scene.zip").write_bytes(LIES[lie](buffer.getvalue(), len(tif)))
    with failing({"a password": "source.zip_encrypted", "4 GB": "source.zip_bomb"}.get(lie, "source.bad_zip")):
        deliver(room)


# Many scenes

def unpacked(folder, wanted: dict):
    out = folder / "scenes"
    wanted = {"max_bytes": 10**9, "allow_private_hosts": True, **wanted}
    command = [sys.executable, os.path.join(HERE, "program/scenes.py"), json.dumps(wanted), str(out)]
    done = subprocess.run(command, env=WITH_GEODAG, capture_output=True, text=True, timeout=600)
    return out, done


def test_every_scene_of_a_zip_with_its_day(room, tif):
    zipped(room, {"b/2024-07-01/x.tif": tif, "a_2024-06-10.tif": tif, "__MACOSX/._a_2024-06-10.tif": b"x", "c.tiff": tif, "../up.tif": tif, "readme": b"x"})
    out, done = unpacked(room.folder, {"path": str(room.inputs / "scene.zip")})
    assert done.returncode == 0, done.stderr
    listed = json.loads((out / "scenes.json").read_text())
    assert [(one["member"], one["date"]) for one in listed] == [
        ("../up.tif", None), ("a_2024-06-10.tif", "2024-06-10"), ("b/2024-07-01/x.tif", "2024-07-01"), ("c.tiff", None),
    ]  # fmt: skip
    assert sorted(os.listdir(out)) == ["0.tif", "1.tif", "2.tif", "3.tif", "scenes.json"]
    assert (out / "2.tif").read_bytes() == tif


@pytest.mark.parametrize("content", [b"II*\0", b"<html>", b""])
def test_what_is_no_zip_holds_no_scene(room, content):
    (room.inputs / "scene.zip").write_bytes(content)
    out, done = unpacked(room.folder, {"path": str(room.inputs / "scene.zip")})
    assert done.returncode == 0 and json.loads((out / "scenes.json").read_text()) == []


def test_a_zip_that_is_refused_names_its_code(room):
    zipped(room, {f"{i}.txt": b"" for i in range(1001)})
    _, done = unpacked(room.folder, {"path": str(room.inputs / "scene.zip")})
    assert done.returncode == 1 and done.stderr.startswith("source.zip_bomb: ")
    _, done = unpacked(room.folder, {"url": "http://169.254.169.254/a.zip", "allow_private_hosts": False})
    assert done.returncode == 1 and done.stderr.startswith("source.forbidden_host: ")


# Layers

def shapefile(folder) -> dict:
    """One point, by GDAL's own driver."""
    import pyogrio
    import shapely

    points = numpy.array([shapely.to_wkb(shapely.Point(3, 45))], object)
    pyogrio.raw.write(str(folder / "place.shp"), points, [numpy.array([7])], fields=["n"], geometry_type="Point", crs="EPSG:4326")
    pyogrio.raw.write(str(folder / "place.gpkg"), points, [numpy.array([7])], fields=["n"], geometry_type="Point", crs="EPSG:4326")
    return {path.name: path.read_bytes() for path in folder.glob("place.*")}


def layer(room, file: str):
    return room.run("url-connector", {
        "file": file, "date": "2024-08-12", "bands": [], "require_crs": False, "layer": True,
        "max_bytes": 10**8, "allow_private_hosts": False,
    })  # fmt: skip


def test_a_shapefile_is_packed_anew_flat_and_safe(room, tmp_path):
    (tmp_path / "made").mkdir()
    parts = shapefile(tmp_path / "made")
    zipped(room, {f"../../deep/{name}": content for name, content in parts.items()} | {"../../x.sh": b"x", "__MACOSX/._place.shp": b"x"}, "roads.zip")
    ran = layer(room, "roads.zip")
    assert ran.result["artifacts"] == {"original_input_image": "2024-08-12_roads.zip"}, ran.error
    with zipfile.ZipFile(ran.path("original_input_image")) as archive:
        names = sorted(archive.namelist())
        assert names == [f"2024-08-12_roads.{ending}" for ending in ("cpg", "dbf", "prj", "shp", "shx")]
        assert archive.read(names[3]) == parts["place.shp"]
    import pyogrio

    assert pyogrio.read_info("/vsizip/" + ran.path("original_input_image"))["features"] == 1


def test_a_geopackage_and_a_netcdf_are_delivered_as_they_are(room, tmp_path):
    (tmp_path / "made").mkdir()
    content = shapefile(tmp_path / "made")["place.gpkg"]
    (room.inputs / "a.bin").write_bytes(content)
    ran = layer(room, "a.bin")
    assert ran.result["artifacts"] == {"original_input_image": "2024-08-12_a.gpkg"}
    with open(ran.path("original_input_image"), "rb") as file:
        assert file.read() == content
    (room.inputs / "b.nc").write_bytes(b"CDF\x01" + bytes(100))
    assert layer(room, "b.nc").result["artifacts"] == {"original_input_image": "2024-08-12_b.nc"}
    assert room.fetch("a.bin").error["code"] == "source.not_raster" and "GeoPackage" in room.fetch("a.bin").error["message"]


def test_a_raster_is_a_layer_as_ever(room, tif):
    zipped(room, {"a/x.tif": tif, "a/._x.tif": b"x"})
    assert numpy.array_equal(room.fetch("scene.zip").pixels("imputed_input_image"), ramp().astype("float32"))
    assert set(layer(room, "scene.zip").result["artifacts"]) == {"original_input_image", "imputed_input_image"}


@pytest.mark.parametrize(
    "name, content, code",
    [
        ("a.gpkg", b"SQLite format 3\0" + bytes(200), "source.not_vector"),
        ("a.gpkg", b"SQLite format 3\0\x10\0" + bytes(10) + b"\0\xff\xff\xff" + bytes(36) + b"GPKG" + bytes(90), "source.not_vector"),
        ("a.gpkg", b"SQLite format 2\0", "source.not_raster"),
        ("a.nc", b"CDF\x09", "source.not_raster"),
        ("a.zip", {"a.shp": b"x", "a.shx": b"x", "a.dbf": b"x"}, "source.not_vector"),
        ("a.zip", {"a.shp": b"x", "a.dbf": b"x"}, "source.zip_empty"),
        ("a.zip", {f"{s}.{e}": b"x" for s in "ab" for e in ("shp", "shx", "dbf")}, "source.zip_many"),
        ("a.zip", {"a.shp": b"\0\0\x27\x0a", "a.shx": b"\0\0\x27\x0a", "a.dbf": b"\0" * 200_000_000}, "source.zip_bomb"),
        ("a.geojson", b'{"type": "FeatureCollection"}', "source.not_raster"),
    ],
)
def test_layers_that_are_none(room, deliver, name, content, code):
    if isinstance(content, dict):
        zipped(room, content, name)
    else:
        (room.inputs / name).write_bytes(content)
    with failing(code):
        deliver(room, name, layer=True, max_bytes=10**8)


# Modalities

def modalities(room, **more):
    band = [{"index": 0, "band_name": "B0", "scaling_factor": 1}]
    both = [{"name": "S2L2A", "file": "a.tif", "bands": band}, {"name": "S1GRD", "file": "b.tif", "bands": band}]
    return room.run("url-connector", {
        "modalities": both, "date": "2024-08-12", "require_crs": False, "max_bytes": 10**8, "allow_private_hosts": False, **more,
    })  # fmt: skip


def test_each_modality_has_its_own_files_and_the_first_the_plain_names(room):
    room.tif("a.tif", ramp()), room.tif("b.tif", ramp() + 1)
    ran = modalities(room)
    made = ran.result["artifacts"]
    assert made == {
        "original_input_image": "2024-08-12_a_S2L2A.tif", "imputed_input_image": "2024-08-12_a_S2L2A_imputed.tif",
        "original_input_image:S2L2A": "2024-08-12_a_S2L2A.tif", "imputed_input_image:S2L2A": "2024-08-12_a_S2L2A_imputed.tif",
        "original_input_image:S1GRD": "2024-08-12_b_S1GRD.tif", "imputed_input_image:S1GRD": "2024-08-12_b_S1GRD_imputed.tif",
    }  # fmt: skip
    assert ran.pixels("imputed_input_image")[0, 0, 0] == 1 and ran.pixels("imputed_input_image:S1GRD")[0, 0, 0] == 2
    assert set(ran.result["details"]["modalities"]) == {"S2L2A", "S1GRD"}
    assert not (room.inputs / "other_valid.tif").exists() and (room.inputs / "valid.tif").exists()


@pytest.mark.parametrize("more", [{"crs": "EPSG:32631"}, {"transform": rasterio.transform.from_origin(500010, 4500000, 10, 10)}, {"width": 10}])
def test_modalities_in_two_grids_are_refused_with_the_command_that_helps(room, more):
    room.tif("a.tif", ramp())
    room.tif("b.tif", ramp(width=more.pop("width", 9)), **more)
    ran = modalities(room)
    assert ran.error["code"] == "source.grids_differ" and "Traceback" not in ran.log
    assert "-t_srs EPSG:32630 -te 500000 4499920 500090 4500000 -ts 9 8" in ran.error["message"]


def test_classes_for_masks_keep_their_own_grid_and_are_no_model_input(room):
    """SCL comes at 20 m beside bands of 10 m, often with a colour table."""
    room.tif("a.tif", ramp())
    room.tif("b.tif", numpy.full((1, 4, 5), 4, "uint8"), transform=rasterio.transform.from_origin(500000, 4500000, 20, 20))
    with rasterio.open(room.inputs / "b.tif", "r+") as raster:
        raster.write_colormap(1, {4: (0, 160, 0, 255)})
    band = [{"index": 0, "band_name": "B0", "scaling_factor": 1}]
    both = [{"name": "S2L2A", "file": "a.tif", "bands": band}, {"name": "SCL", "file": "b.tif", "bands": band, "mask": True}]
    ran = modalities(room, modalities=both)
    made = ran.result["artifacts"]
    assert "imputed_input_image:SCL" not in made and made["original_input_image:SCL"] == "2024-08-12_b_SCL.tif"
    assert made["imputed_input_image"] == made["imputed_input_image:S2L2A"]
    assert (ran.pixels("original_input_image:SCL") == 4).all() and set(ran.result["details"]["modalities"]) == {"S2L2A", "SCL"}
    with rasterio.open(room.inputs / "valid.tif") as valid:
        assert valid.shape == (8, 9)
