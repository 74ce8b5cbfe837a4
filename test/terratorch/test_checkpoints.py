"""Checkpoints of strangers, in the image of containers/terratorch: no code of theirs runs, and each ends by a name or by its tensors.

Every case is read in a process of its own, so that one that crashes torch is seen as that.
"""

import io
import json
import os
import pickle
import struct
import sys
import tarfile
import zipfile
from collections import OrderedDict

import pytest
import torch

sys.path.insert(0, os.environ["GEODAG_EXPORT"])

from checkpoint import load, tensors_of  # noqa: E402
from config import Refused  # noqa: E402

TENSORS = {"model.a": torch.arange(6.0).reshape(2, 3), "model.b": torch.ones(2, dtype=torch.int64)}
PROOF = "/tmp/pwned"
TOUCH = f"touch {PROOF}"


@pytest.fixture(autouse=True)
def nothing_ran():
    yield
    assert not os.path.exists(PROOF)


def read(path) -> list:
    """["tensors", names] or [code, message] of a checkpoint. Fails where reading it ends the process."""
    given, taken = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            found = tensors_of(str(path))
            good = all(torch.equal(found[name], value) for name, value in TENSORS.items() if name in found)
            said = ["tensors" if good else "other tensors", sorted(found)]
        except Refused as refused:
            said = [refused.code, str(refused)]
        except BaseException as failure:
            said = ["crash", repr(failure)]
        os.write(taken, json.dumps(said).encode())
        os._exit(0)
    os.close(taken)
    with os.fdopen(given, "rb") as file:
        said = file.read()
    _, status = os.waitpid(pid, 0)
    assert status == 0, f"it ended by {status}"
    return json.loads(said)


class Calls:
    """Pickled as a call of ``function``; ``state`` is given to what it returns."""

    def __init__(self, function, *arguments) -> None:
        self.made = function, arguments

    def __reduce__(self):
        return self.made


def bytes_of(value) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


class Named:
    """A callable that pickle writes by its name alone; it need not be here."""

    def __init__(self, name: str) -> None:
        self.module, _, self.name = name.rpartition(".")

    def __call__(self):
        raise NotImplementedError


class Pickler(pickle._Pickler):
    """Writes ``Named`` as a global."""

    def save(self, value, *rest, **more):
        if isinstance(value, Named):
            self.write(f"c{value.module}\n{value.name}\n".encode())
        else:
            super().save(value, *rest, **more)


NESTED = pickle.dumps(Calls(os.system, TOUCH), 2)
PAYLOADS = {
    "os.system": Calls(os.system, TOUCH),
    "exec": Calls(exec, f"import os; os.system({TOUCH!r})"),
    "eval": Calls(eval, f"__import__('os').system({TOUCH!r})"),
    "subprocess": Calls(__import__("subprocess").Popen, ["touch", PROOF]),
    "pickle in pickle": Calls(pickle.loads, NESTED),
    "torch.load of bytes": Calls(torch.storage._load_from_bytes, bytes_of(Calls(os.system, TOUCH))),
    "getattr": Calls(getattr, Named("os.system"), "__call__"),
    "partial": Calls(__import__("functools").partial, Named("os.system"), TOUCH),
    "map": Calls(list, Calls(map, Named("os.system"), [TOUCH])),
    "open": Calls(open, PROOF, "w"),
    "runpy": Calls(__import__("runpy").run_path, "/evil.py"),
    "torch.hub": Calls(torch.hub.load, "a/b", "c"),
    "torch's own deserializer": Calls(Named("torch.jit.load"), "/evil.pt"),
    "no such module": Calls(Named("evil.module.f"), 1),
    "a name with dots": Calls(Named("torch.os.system"), TOUCH),
    "a rebuild of nothing": Calls(torch._utils._rebuild_tensor_v2, None, 0, (1,), (1,), False, OrderedDict()),
}
PLACES = {
    "beside the tensors": lambda payload: {"state_dict": TENSORS, "hyper_parameters": {"loss": payload}},
    "among the tensors": lambda payload: {"state_dict": {**TENSORS, "model.c": payload}},
    "as the tensors": lambda payload: {"state_dict": payload},
    "as the file": lambda payload: payload,
}


def saved(path, value, zipped: bool = True) -> None:
    """As ``torch.save`` does, with names that need not exist."""

    class Module:
        def __getattr__(self, name):
            return getattr(pickle, name)

    module = Module()
    module.Pickler, module.dump = Pickler, lambda value, file, protocol=2: Pickler(file, protocol).dump(value)
    torch.save(value, str(path), pickle_module=module, _use_new_zipfile_serialization=zipped)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "pickle"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", PAYLOADS)
def test_a_call_in_a_pickle_is_not_made(tmp_path, name, place, zipped):
    saved(tmp_path / "c.ckpt", PLACES[place](PAYLOADS[name]), zipped)
    code, said = read(tmp_path / "c.ckpt")
    if place in ("beside the tensors", "among the tensors") and name != "a rebuild of nothing":
        assert (code, set(said)) == ("tensors", set(TENSORS)), said
    else:
        assert code == "model.bad_checkpoint", said


# Of protocol 0 to 5, each its own way to call; the last three by a registry and by reference to what is not there.
OPCODES = {
    "REDUCE": b"cos\nsystem\n(V" + TOUCH.encode() + b"\ntR.",
    "INST": b"(V" + TOUCH.encode() + b"\nios\nsystem\n.",
    "OBJ": b"(cos\nsystem\nV" + TOUCH.encode() + b"\no.",
    "STACK_GLOBAL": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c" + bytes([len(TOUCH)]) + TOUCH.encode() + b"\x85R.",
    "NEWOBJ": b"\x80\x02csubprocess\nPopen\n(V" + TOUCH.encode() + b"\nt\x81.",
    "NEWOBJ_EX": b"\x80\x04csubprocess\nPopen\n)}V" + b"args\nV" + TOUCH.encode() + b"\ns\x92.",
    "BUILD": b"ccollections\nOrderedDict\n)R}V__setstate__\ncos\nsystem\nsbV" + TOUCH.encode() + b"\nb.",
    "EXT1": b"\x80\x02\x82\x01.",
    "PERSID": b"P" + TOUCH.encode() + b"\n.",
    "GET of nothing": b"g99\n.",
    "a long stack": b"(" * 100_000 + b".",
    "a huge number": b"\x80\x02\x8b\xff\xff\xff\x7f.",
    "a huge text": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 60) + b".",
    "a deep list": b"]" * 100_000 + b"a" * 99_999 + b".",
    "nothing": b"",
}


def archive(path, pickle_bytes: bytes, more: dict | None = None, compressed: bool = False) -> None:
    """A zip as torch's, by hand."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as made:
        for name, content in {"data.pkl": pickle_bytes, "byteorder": b"little", "version": b"3\n", **(more or {})}.items():
            made.writestr(f"c/{name}", content)


@pytest.mark.parametrize("name", OPCODES)
def test_every_way_of_a_pickle_to_call_is_closed(tmp_path, name):
    archive(tmp_path / "c.ckpt", OPCODES[name])
    (tmp_path / "plain.ckpt").write_bytes(OPCODES[name])
    magic = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2)
    (tmp_path / "legacy.ckpt").write_bytes(magic + OPCODES[name])
    for file in ("c.ckpt", "plain.ckpt", "legacy.ckpt"):
        code, said = read(tmp_path / file)
        assert code == "model.bad_checkpoint", (file, code, said)
        assert len(said) < 600


def a_tensor(count: int, sizes: tuple, strides: tuple, offset: int = 0, key: str = "0", kind: str = "FloatStorage") -> bytes:
    """{"model.a": a tensor} as torch pickles it: its storage says that it has ``count`` numbers."""

    class WithStorage(Pickler):
        def persistent_id(self, value):
            return ("storage", Named(f"torch.{kind}"), key, "cpu", count) if value is marker else None

    marker, file = object(), io.BytesIO()
    WithStorage(file, 2).dump({"model.a": Calls(torch._utils._rebuild_tensor_v2, marker, offset, sizes, strides, False, OrderedDict())})
    return file.getvalue()


STORED = {"data/0": TENSORS["model.a"].numpy().tobytes()}


def test_the_archive_by_hand_is_read(tmp_path):
    archive(tmp_path / "c.ckpt", a_tensor(6, (2, 3), (3, 1)), STORED)
    assert read(tmp_path / "c.ckpt") == ["tensors", ["model.a"]]


@pytest.mark.parametrize(
    "given",
    [
        (6, (1000, 1000), (1000, 1)), (6, (2, 3), (3, 1), 100), (6, (2, 3), (3, 1), -5), (6, (-2, 3), (3, 1)), (6, (2, 3), (-3, 1)),
        (6, (2, 3), (3, 1), 0, "../../../etc/passwd"), (6, (2, 3), (3, 1), 0, "1"), (6, (2, 3), (3, 1), 0, "0", "EvilStorage"),
        (-1, (2, 3), (3, 1)), (6, (1 << 62, 1 << 62), (1, 1)), (6, (2,) * 200, (1,) * 200),
    ],
)  # fmt: skip
def test_a_tensor_that_its_bytes_do_not_hold_is_told(tmp_path, given):
    archive(tmp_path / "c.ckpt", a_tensor(*given), STORED)
    code, said = read(tmp_path / "c.ckpt")
    assert code == "model.bad_checkpoint", said


def test_a_storage_that_claims_more_than_its_record_reads_no_memory_beside_it(tmp_path):
    archive(tmp_path / "c.ckpt", a_tensor(1_000_000, (1_000_000,), (1,)), STORED)
    code, said = read(tmp_path / "c.ckpt")
    assert code == "model.bad_checkpoint", said
    archive(tmp_path / "c.ckpt", a_tensor(1 << 70, (2, 3), (3, 1)), STORED)
    assert read(tmp_path / "c.ckpt") == ["tensors", ["model.a"]]


def test_a_zip_that_unpacks_to_more_is_not_unpacked(tmp_path):
    archive(tmp_path / "c.ckpt", a_tensor(6, (2, 3), (3, 1)), {"data/0": b"\0" * 50_000_000}, compressed=True)
    assert os.path.getsize(tmp_path / "c.ckpt") < 100_000
    code, said = read(tmp_path / "c.ckpt")
    assert code == "model.bad_checkpoint" and "its parts are compressed" in said


def test_names_of_a_zip_lead_nowhere(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"12345678" * 3)
    link = zipfile.ZipInfo("c/data/0")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "link.ckpt", "w") as made:
        made.writestr("c/data.pkl", a_tensor(6, (2, 3), (3, 1)))
        made.writestr(link, str(secret))
    with zipfile.ZipFile(tmp_path / "up.ckpt", "w") as made:
        made.writestr("../../c/data.pkl", a_tensor(6, (2, 3), (3, 1)))
        made.writestr("../../c/data/0", STORED["data/0"])
    nested = io.BytesIO()
    archive(nested, a_tensor(6, (2, 3), (3, 1)), STORED)
    with zipfile.ZipFile(tmp_path / "nested.ckpt", "w") as made:
        made.writestr("c.ckpt", nested.getvalue())
    for name in ("link.ckpt", "nested.ckpt"):
        code, said = read(tmp_path / name)
        assert code == "model.bad_checkpoint", (name, said)
    code, said = read(tmp_path / "up.ckpt")  # read by name, never written
    assert code in ("tensors", "model.bad_checkpoint"), said
    assert sorted(os.listdir(tmp_path)) == ["link.ckpt", "nested.ckpt", "secret", "up.ckpt"]


def test_a_tar_of_old_torch_with_links_leads_nowhere(tmp_path):
    with tarfile.open(tmp_path / "c.ckpt", "w") as made:
        for name in ("storages", "tensors", "pickle"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
            made.addfile(entry)
    code, said = read(tmp_path / "c.ckpt")
    assert code == "model.bad_checkpoint" and "root:" not in said, said


def test_torchscript_is_not_run(tmp_path):
    class Script(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = torch.nn.Parameter(torch.ones(2))

        def forward(self, x):
            return x + self.a

    torch.jit.script(Script()).save(str(tmp_path / "c.ckpt"))
    code, said = read(tmp_path / "c.ckpt")
    assert code == "model.bad_checkpoint", said


def safetensors(header: dict | bytes, data: bytes = b"\0" * 24) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def one(**changed) -> dict:
    return {"model.a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24], **changed}}


@pytest.mark.parametrize(
    "content",
    [
        safetensors(one(data_offsets=[0, 1 << 40])), safetensors(one(data_offsets=[8, 0])), safetensors(one(shape=[1 << 40, 1 << 40])),
        safetensors(one(dtype="EVIL")), safetensors(b"{" + b" " * 99), safetensors(b'{"a":' * 50_000), safetensors(one(shape=[-1])),
        safetensors({**one(), "model.b": {"dtype": "F32", "shape": [6], "data_offsets": [0, 24]}}), safetensors({}), b"\0" * 8 + b"{",
        struct.pack("<Q", 1 << 63) + b"{", b"PK\x03\x04", b"\x80\x02", b"x",
    ],
)  # fmt: skip
def test_headers_that_lie_are_told(tmp_path, content):
    (tmp_path / "c.ckpt").write_bytes(content)
    code, said = read(tmp_path / "c.ckpt")
    assert code == "model.bad_checkpoint", said


def test_safetensors_that_are_right_are_read(tmp_path):
    (tmp_path / "c.ckpt").write_bytes(safetensors(one(), TENSORS["model.a"].numpy().tobytes()))
    assert read(tmp_path / "c.ckpt") == ["tensors", ["model.a"]]


def test_every_cut_of_a_checkpoint_ends_by_name(tmp_path):
    torch.save({"state_dict": TENSORS}, tmp_path / "whole.ckpt")
    whole = (tmp_path / "whole.ckpt").read_bytes()
    for length in range(0, len(whole), max(1, len(whole) // 40)):
        (tmp_path / "c.ckpt").write_bytes(whole[:length])
        code, said = read(tmp_path / "c.ckpt")
        assert code == "model.bad_checkpoint", (length, said)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_tensors_without_a_number_are_told(tmp_path, value):
    net = torch.nn.Linear(2, 3)
    state = {f"model.{key}": one.clone() for key, one in net.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "good.ckpt")
    load(net, str(tmp_path / "good.ckpt"))
    state["model.weight"][0, 0] = value
    torch.save({"state_dict": state}, tmp_path / "c.ckpt")
    with pytest.raises(Refused, match=r"1 of its tensors hold NaN or infinity \(weight\)") as refused:
        load(net, str(tmp_path / "c.ckpt"))
    assert refused.value.code == "model.bad_checkpoint"


@pytest.mark.parametrize("kind", ["sparse", "meta", "quantized", "complex", "text"])
def test_tensors_of_another_kind_do_not_fit(tmp_path, kind):
    net = torch.nn.Linear(2, 3, bias=False)
    made = {
        "sparse": torch.eye(3, 2).to_sparse(),
        "meta": torch.empty(3, 2, device="meta"),
        "quantized": torch.quantize_per_tensor(torch.ones(3, 2), 0.1, 0, torch.quint8),
        "complex": torch.ones(3, 2, dtype=torch.complex64),
        "text": "weights",
    }
    torch.save({"model.weight": made[kind]}, tmp_path / "c.ckpt")
    try:
        load(net, str(tmp_path / "c.ckpt"))
    except Refused as refused:
        assert refused.code == "model.bad_checkpoint"
    else:
        assert kind in ("sparse", "quantized", "complex") and net.weight.isfinite().all()
