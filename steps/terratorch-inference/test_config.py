"""What a stranger's config may not say: each ends by a name, a field and what to do, and nothing is built."""

import os
import sys

import pytest

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "program/export")
sys.path.insert(0, PROGRAM)

import config as reader  # noqa: E402

sys.path.remove(PROGRAM)

TINY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../models/tiny-water/config_deploy.yaml")
with open(TINY, encoding="utf-8") as file:
    TEXT = file.read()


def refusal(text: str) -> tuple[str, str]:
    """(code, message) of what ``text`` ends with."""
    with pytest.raises(reader.Refused) as refused:
        given = reader.read(text)
        reader.task_of(given)
        reader.inputs_of(given)
        reader.frames_of(given)
        reader.tiling_of(given["model"]["init_args"], None)
    return refused.value.code, str(refused.value)


def changed(old: str, new: str) -> str:
    assert old in TEXT, old
    return TEXT.replace(old, new)


def data(line: str) -> str:
    return changed("    val_data_root", f"    {line}\n    val_data_root")


def model(line: str) -> str:
    return changed("    model_factory", f"    {line}\n    model_factory")


def test_the_shipped_config_is_read():
    given = reader.read(TEXT)
    rows, _ = reader.inputs_of(given)
    assert (reader.task_of(given), rows[0]["select"]) == (("segmentation", "segmentation"), [1, 2, 3, 8, 11, 12])


CALLS = (
    "os.system", "builtins.eval", "eval", "exec", "print", "subprocess.Popen", "torch.hub.load", "pickle.load", "importlib.import_module",
    "shutil.rmtree", "torch.nn.os.system", "terratorch.datamodules.utils.os.system", "albumentations.core.subprocess.Popen",
    "torchgeo.datasets.utils.subprocess.Popen", "kornia.augmentation.torch.hub.load", "terratorch.datasets.utils.np.load", "__main__.X",
    "numpy.f2py.compile", "torch.load", "torch.utils.cpp_extension.load", "http.server.HTTPServer", "Popen; os.system", "SystemExit",
)  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    "place",
    [
        lambda name: data(f"test_transform: [{{class_path: {name!r}, init_args: {{command: touch /tmp/pwned}}}}]"),
        lambda name: data(f"test_transform: [{name!r}]"),
        lambda name: data(f"deep: [{{other: [{{class_path: {name!r}}}]}}]"),
        lambda name: model(f"loss: {{class_path: {name!r}}}"),
        lambda name: changed("class_path: terratorch.tasks.SemanticSegmentationTask", f"class_path: {name!r}"),
        lambda name: changed("GenericNonGeoSegmentationDataModule", "X").replace("class_path: terratorch.datamodules.X", f"class_path: {name!r}"),
    ],
)
def test_only_classes_of_terratorch_and_torch_are_named(place, name):
    code, message = refusal(place(name))
    assert code == "model.forbidden_class" and name[:90] in message and message.startswith("config.") and "take it out" in message
    assert not os.path.exists("/tmp/pwned")


def test_a_loss_that_is_text_with_a_dot_is_a_class():
    code, message = refusal(model("loss: os.abort").replace("    loss: ce\n", ""))
    assert code == "model.forbidden_class" and "config.model.init_args.loss" in message


@pytest.mark.parametrize(
    "name",
    [
        "ToTensorV2", "albumentations.HorizontalFlip", "albumentations.pytorch.ToTensorV2", "kornia.augmentation.RandomCrop",
        "terratorch.datasets.transforms.FlattenTemporalIntoChannels", "FlattenTemporalIntoChannels",
    ],
)  # fmt: skip
def test_transforms_of_real_configs_are_let_in(name):
    assert reader.read(data(f"test_transform: [{{class_path: {name}}}]"))
    assert reader.read(data(f"test_transform: [{name}]"))


@pytest.mark.parametrize(
    "name",
    ["torch.nn.CrossEntropyLoss", "segmentation_models_pytorch.losses.DiceLoss", "terratorch.models.model.AuxiliaryHead", "torch.optim.AdamW"],
)
def test_classes_of_a_task_are_let_in(name):
    assert reader.read(model(f"aux_heads: [{{class_path: {name}}}]"))


TAGS = (
    '!!python/object/apply:os.system ["touch /tmp/pwned"]', "!!python/object/new:subprocess.Popen [[touch, /tmp/pwned]]",
    "!!python/name:os.system", "!!python/module:os", "!!python/object:os.X {}", '!!python/object/apply:eval ["1"]', "!!timestamp 2024-99-99",
    "!!int abc", "!!float abc", "!evil x", "!!python/object/new:os.system [touch /tmp/pwned]", "!!python/tuple [1]", "!!python/complex 1j",
    "!!python/object/apply:os.system {args: [touch /tmp/pwned]}", "!!binary x", "!!omap [1]", "!<tag:yaml.org,2002:python/name:os.system> x",
)  # fmt: skip


@pytest.mark.parametrize("tag", TAGS)
def test_tags_of_yaml_make_nothing(tag):
    for text in (f"{TEXT}\nx: {tag}\n", data(f"other: {tag}"), tag):
        code, message = refusal(text)
        assert code == "model.bad_config" and message.startswith("config: is no plain YAML")
    assert not os.path.exists("/tmp/pwned")


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "open"])
def test_lists_in_lists_end_by_name(closed):
    code, message = refusal(data("other: " + "[" * 5000 + ("]" * 5000 if closed else "")))
    assert code == "model.bad_config" and message.startswith("config: is no plain YAML")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("!!timestamp 2024-01-01", "is a date: put it in quotes"),
        ("!!set {a, b}", "is a set"),
        ("!!binary aGVsbG8=", "is a bytes"),
        ("!!pairs [a: {class_path: os.system}]", "is a tuple"),
        ("!!omap [a: {class_path: os.system}]", "is a tuple"),
        ("0x" + "f" * 20_000, "more than 63 bits"),
        ("-9223372036854775809", "more than 63 bits"),
        ("9" * 4000, "more than 63 bits"),
    ],
)
@pytest.mark.parametrize("place", [data, model], ids=["data", "model"])
def test_values_that_are_no_text_and_no_number_of_json_are_told(place, value, said):
    code, message = refusal(place(f"other: [{value}]"))
    assert code == "model.bad_config" and said in message and ".init_args.other.0" in message and len(message) < 300


def test_scalars_are_those_of_terratorchs_parser():
    given = reader.read(data("other: [1e-4, -1E+2, .5e1, 2.5e-3, 2024-01-01, 12, 1.5, '1e-4', 1e, e4, 1e4x, true]"))["data"]["init_args"]["other"]
    assert given == [0.0001, -100.0, 5.0, 0.0025, "2024-01-01", 12, 1.5, "1e-4", "1e", "e4", "1e4x", True]


@pytest.mark.parametrize("field", ["means", "stds"])
@pytest.mark.parametrize("values", ["[.nan, 1, 1, 1, 1, 1]", "[.inf]", "[a]", "[[1, .nan]]", "[{a: 1}]"])
def test_means_and_stds_are_numbers(field, values):
    code, message = refusal(data(f"{field}: {values}").replace(f"\n    {field}:\n", "\n    other:\n"))
    assert (code, message) == ("model.bad_config", f"config.data.init_args.{field}: must be a list of numbers")


def test_nothing_is_divided_by_0_or_scaled_by_nan():
    code, message = refusal(data("stds: [0.1, 0.0]").replace("\n    stds:\n", "\n    other:\n"))
    assert code == "model.bad_config" and "stds: holds a 0" in message
    code, message = refusal(data("constant_scale: .nan").replace("    constant_scale: 0", "    other: 0"))
    assert code == "model.bad_config" and "constant_scale" in message


def bomb(levels: int) -> str:
    names = "abcdefghijklmnop"[:levels]
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    lines += [f"{name}: &{name} [{','.join(f'*{before}' for _ in range(9))}]" for before, name in zip(names, names[1:], strict=False)]
    return "\n".join(lines) + "\n" + data(f"other: *{names[-1]}")


def test_anchors_that_explode_are_counted_and_refused():
    code, message = refusal(bomb(12))
    assert code == "model.bad_config" and "config.data: has " in message and "anchors written out" in message
    code, message = refusal(data("other: &x {a: [*x]}"))
    assert code == "model.bad_config" and "an anchor holds itself" in message
    assert reader.read(bomb(3))


@pytest.mark.parametrize("text", ["", "\0", "a: 1", "[]", "model: {}", "model: {class_path: 1}", "- a", "x" * (1 << 20) + "x", "%YAML 9.9\n---\na"])
def test_what_is_no_config_is_told(text):
    code, message = refusal(text)
    assert code == "model.bad_config" and message.startswith("config")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (data("means: /etc/passwd").replace("\n    means:\n", "\n    other:\n"), "data.init_args.means"),
        (data("stds: ../../etc/shadow").replace("\n    stds:\n", "\n    other:\n"), "data.init_args.stds"),
        (data("predict_dataset_bands: RED"), "data.init_args.predict_dataset_bands"),
        (data("predict_output_bands: 7"), "data.init_args.predict_output_bands"),
        (data("test_transform: 7"), "data.init_args.test_transform"),
        (data("1: x"), "data.init_args"),
        (data("no_data_replace: [1]").replace("    no_data_replace: 0", "    other: 0"), "data.init_args.no_data_replace"),
        (model("model_args: text").replace("\n    model_args:\n", "\n    other:\n"), "model.init_args.model_args"),
        (model("class_names: text").replace("\n    class_names:\n", "\n    other:\n"), "model.init_args.class_names"),
        (changed("h_stride: 48", "h_stride: 80"), "model.init_args.tiled_inference_parameters"),
        (changed("h_crop: 64", "h_crop: true"), "model.init_args.tiled_inference_parameters"),
        (changed("h_crop: 64", "h_crop: 64\n      delta: many"), "model.init_args.tiled_inference_parameters"),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_by_its_field(text, field):
    code, message = refusal(text)
    assert code == "model.bad_config" and message.startswith(f"config.{field}"), message
