"""What the sandbox's supervisor says and calls, without its sandbox (plain.py, program/check.py)."""

import importlib.util
import json
import os
import sys

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
