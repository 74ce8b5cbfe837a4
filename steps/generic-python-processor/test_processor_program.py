"""What the sandbox's supervisor says and calls, without its sandbox (plain.py, program/check.py)."""

import importlib.util
import json
import os
import sys
import types

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
SUPERVISOR = os.path.join(HERE, "../../containers/sandbox/supervisor")


def load(name: str, path: str):
    spec = importlib.util.spec_from_file_location(f"processor_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


sys.path.append(SUPERVISOR)
plain = load("plain", os.path.join(SUPERVISOR, "plain.py"))
check = load("check", os.path.join(HERE, "program/check.py"))


def nested(levels: int):
    value: list = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (2**53 + 1, str(2**53 + 1)),
        ("a\0\ud800", "a\ufffd\ufffd"),
        ({1: (True, None)}, {"1": [True, None]}),
        ({"\udfff": b"x"}, {"\ufffd": "b'x'"}),
    ],
)
def test_any_value_becomes_json_that_every_reader_takes(value, said):
    assert plain.plain(value) == said
    json.dumps(plain.plain(value), allow_nan=False).encode()


def test_depth_and_number_are_bounded():
    assert plain.plain([10**5000]) == ["..."]
    deep = json.dumps(plain.plain(nested(900)))
    assert deep.count("[") == plain.DEEPEST + 1 and "..." in deep
    assert len(json.dumps(plain.plain(list(range(100_000))))) < 1_000_000


def test_a_value_is_one_word_with_its_name():
    command = check.command_of(False, "/s.py", {"bbox": "-1,2", "n": -1, "on": True, "of": [1], "no": None}, "/in/a.tif", "/work")
    assert command[3:] == ["--bbox=-1,2", "--n=-1", "--on=True", "--of=[1]", "--no=null", "--input", "/in/a.tif", "--output", "/work"]
    assert check.command_of(True, "/s.py", {"n": -1}, "/in/a.tif", "/work")[3:] == ["/in/a.tif", "/work/a.tif", '{"n": -1}']


@pytest.mark.parametrize("parameters", [{"a b": 1}, {"-x": 1}, {"a": "x\0y"}, {"a": "\ud800"}])
def test_what_no_argument_can_be_is_named(parameters):
    with pytest.raises(check.Breach) as breach:
        check.command_of(False, "/s.py", parameters, "/in/a.tif", "/work")
    assert breach.value.code == "processor.parameters"


@pytest.mark.parametrize(
    ("transform", "crs", "words"),
    [
        ((float("nan"), 0, 5e5, 0, -10, 45e5), "EPSG:32630", "pixels have no size"),
        ((10, 0, float("inf"), 0, -10, 45e5), "EPSG:32630", "pixels have no size"),
        ((0, 0, 5e5, 0, 0, 45e5), "EPSG:32630", "pixels have no size"),
        ((10, 10, 5e5, 10, 10, 45e5), "EPSG:32630", "pixels have no size"),
        ((10, 0, 5e5, 0, -10, 45e5), 'LOCAL_CS["x",UNIT["metre",1]]', "on no map"),
        ((10, 0, 5e5, 0, -10, 45e5), 'GEOCCS["x",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0],UNIT["metre",1]]', "on no map"),
    ],
)  # fmt: skip
def test_a_raster_of_a_place_that_no_map_has_is_refused(tmp_path, transform, crs, words):
    import numpy
    import rasterio

    raster = load("raster", os.path.join(HERE, "program/raster.py"))
    path = str(tmp_path / "a.tif")
    kept = {"driver": "GTiff", "height": 8, "width": 8, "count": 1, "dtype": "uint8", "crs": crs}
    with rasterio.open(path, "w", transform=rasterio.Affine(*transform), **kept) as file:
        file.write(numpy.ones((1, 8, 8), "uint8"))
    with pytest.raises(raster.Bad, match=words):
        raster.run({"path": path, "name": "a.tif", "input": "", "target": str(tmp_path / "cog.tif"), "memory_mb": 300})


def test_a_thousand_files_of_one_name_are_named_at_once(monkeypatch):
    monkeypatch.setitem(sys.modules, "seccomp", types.ModuleType("seccomp"))  # the sandbox's image alone has it
    collect = load("collect", os.path.join(HERE, "program/collect.py"))
    taken: set[str] = set()
    for n in range(1000):
        name = collect.free_name("x.csv", {"a.tif"}, taken, "scene")
        assert name == ("x.csv" if n == 0 else f"x_{n + 1}.csv")
        taken.add(name)
    assert collect.free_name("scene_rgb.tif", set(), set(), "scene") == "processor_scene_rgb.tif"
