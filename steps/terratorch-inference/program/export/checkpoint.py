"""The tensors of a Lightning or plain checkpoint; no code of it runs."""

import os
import pickle
import types
import zipfile

from config import Refused

KNOWN = {
    ("collections", "OrderedDict"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch._utils", "_rebuild_parameter"),
    ("torch", "Size"),
    *(("torch", name) for name in "float32 float16 bfloat16 float64 int64 int32 int16 int8 uint8 bool".split()),
}


class Inert(dict):
    """Stands for every object of a checkpoint that is no tensor: made, filled and forgotten."""

    def __new__(cls, *_args, **_keywords):
        return super().__new__(cls)

    def __init__(self, *_args, **_keywords):
        super().__init__()

    def __setstate__(self, _state):
        pass

    def __call__(self, *_args, **_keywords):
        return Inert()

    def append(self, _one):
        pass

    extend = append


class Tensors(pickle.Unpickler):
    """``weights_only`` refuses a checkpoint whose hyper_parameters hold a loss, an enum or a number of numpy, though the
    tensors beside them are fine: here such classes are inert."""

    def find_class(self, module, name):
        return super().find_class(module, name) if (module, name) in KNOWN else Inert


def _is_safetensors(path: str) -> bool:
    with open(path, "rb") as file:
        head = file.read(9)
    return len(head) == 9 and head[8:] == b"{" and int.from_bytes(head[:8], "little") < os.path.getsize(path)


def _is_zipped(path: str) -> bool:
    """Whether it is a zip of ``torch.save``. Raises ``ValueError`` where its parts are not as torch writes them."""
    with open(path, "rb") as file:
        if file.read(4) != b"PK\x03\x04":
            return False
    with zipfile.ZipFile(path) as packed:
        if any(part.compress_type != zipfile.ZIP_STORED for part in packed.infolist()):
            raise ValueError("its parts are compressed, which torch.save does not do: save it again by torch.save")
    return True


def tensors_of(path: str) -> dict:
    """name -> tensor, as the file has them: a .ckpt, .pth or .pt of PyTorch, or safetensors. Raises ``model.bad_checkpoint``."""
    import torch

    try:
        try:
            if _is_safetensors(path):
                from safetensors.torch import load_file

                state = load_file(path)
            else:
                # Without mmap a storage that claims more bytes than its part of the zip has is filled from the memory beside it.
                mapped = _is_zipped(path)
                state = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
        except pickle.UnpicklingError:
            ours = types.ModuleType("tensors")
            ours.__dict__.update(pickle.__dict__, Unpickler=Tensors, load=lambda file, **keywords: Tensors(file, **keywords).load())
            state = torch.load(path, map_location="cpu", weights_only=False, pickle_module=ours, mmap=mapped)
        state = state.get("state_dict", state)
        tensors = {str(key): value for key, value in state.items() if isinstance(value, torch.Tensor)}
    except Exception as error:  # whatever a broken zip or a hostile pickle raises
        why = " ".join(str(error).split())[:300]
        raise Refused("model.bad_checkpoint", f"checkpoint: is none of PyTorch that can be read ({why}): give the .ckpt of the training") from error
    if not tensors:
        raise Refused("model.bad_checkpoint", "checkpoint: holds no tensors: give the .ckpt of the training")
    return tensors


def state_of(path: str) -> dict:
    """name -> tensor of the network, without the task's leading ``model.``, its loss and its auxiliary heads."""
    state = tensors_of(path)
    if any(key.startswith("model.") for key in state):
        state = {key[6:]: value for key, value in state.items() if key.startswith("model.")}
    return {key: value for key, value in state.items() if not key.startswith(("aux_heads.", "criterion."))}


def load(model, path: str) -> None:
    """Into the network, strictly. Raises ``model.bad_checkpoint``, naming what does not fit."""
    state = state_of(path)
    try:
        model.load_state_dict(state, strict=True)
    except RuntimeError as error:
        why = " ".join(str(error).split())[:600]
        raise Refused("model.bad_checkpoint", f"checkpoint: does not fit the network of the config, take the two of one training: {why}") from error
    broken = [name for name, value in model.named_parameters() if not value.isfinite().all()]
    if broken:
        said = f"{len(broken)} of its tensors hold NaN or infinity ({', '.join(broken[:3])})"
        raise Refused("model.bad_checkpoint", f"checkpoint: {said}, so that every answer would be NaN: take one from before the training diverged")
