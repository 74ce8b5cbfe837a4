"""Where a scene comes from: URLs, buckets that the operator signed for, names (program/deliver.py)."""

import importlib.util
import json
import os
import sys

import pytest

from geodag.program import StepError

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "program")


@pytest.fixture
def deliver(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(PROGRAM)
    spec = importlib.util.spec_from_file_location("deliver", os.path.join(PROGRAM, "deliver.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr("geodag.access.FILE", str(tmp_path / "access.json"))
    yield module
    for name in ("archive", "layers"):
        sys.modules.pop(name, None)


def asked(deliver, monkeypatch, url: str) -> tuple:
    found: list = []
    monkeypatch.setattr(deliver, "fetch", lambda url, path, most, private, log: found.append((url, private)))
    deliver.download({"max_bytes": 9, "allow_private_hosts": False}, url, "/nowhere", print)
    return found[0]


def test_a_bucket_is_read_by_what_the_operator_signed(deliver, monkeypatch, tmp_path):
    signed = "http://minio:9000/bucket/a.tif?X-Amz-Signature=word"
    (tmp_path / "access.json").write_text(json.dumps({"signed": {"s3://bucket/a.tif": signed}}))
    assert asked(deliver, monkeypatch, "s3://bucket/a.tif") == (signed, True)
    # Only that one: what the operator's network holds besides stays out of reach.
    assert asked(deliver, monkeypatch, "http://minio:9000/bucket/b.tif") == ("http://minio:9000/bucket/b.tif", False)


@pytest.mark.parametrize("access", [None, "{}", '{"signed": {"s3://bucket/b.tif": "https://x"}}'])
def test_a_bucket_that_nobody_signed_for(deliver, monkeypatch, tmp_path, access):
    if access is not None:
        (tmp_path / "access.json").write_text(access)
    with pytest.raises(StepError) as failure:
        asked(deliver, monkeypatch, "s3://bucket/a.tif")
    assert failure.value.code == "source.bad_url" and "operator" in str(failure.value)


@pytest.mark.parametrize("text, day", [("a/2024-06-10/x", "2024-06-10"), ("2024-13-45_2024-02-29.tif", "2024-02-29"), ("20240610", None)])
def test_the_day_in_a_name(deliver, text, day):
    assert deliver.date_in(text) == day


@pytest.mark.parametrize(
    "source, modality, stem",
    [
        ("https://h.org/a/b.tif?sig=x/y.tif", "", "2024-08-12_b"), ("https://h.org/a.tif#frag", "S1", "2024-08-12_a_S1"),
        ("in/the/zip_2024-01-02.tif", "", "zip_2024-01-02"), ("in\\zip.tif", "", "2024-08-12_zip"), ("https://h.org/", "", "2024-08-12_h"),
    ],
)  # fmt: skip
def test_names_of_what_is_delivered(deliver, source, modality, stem):
    assert deliver.name_of(source, "2024-08-12", modality) == stem
