"""One scene or layer brought to where the step delivers it, by URL, from the inputs, or out of a zip."""

import datetime
import json
import os
import re
import shutil

from archive import Archive
from geodag.access import secret_of
from geodag.content import refuse_other
from geodag.fetch import fetch
from geodag.program import StepError
from layers import layer_kind, pack_shapefile

DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
# Where step.ts mounts what program/scenes.py took out of a zip of several.
UNPACKED = "/scenes"


def date_in(text: str) -> str | None:
    """The first day of the calendar in ``text``: 2024-13-45 is none."""
    for found in DATE.findall(text):
        try:
            return datetime.date.fromisoformat(found).isoformat()
        except ValueError:
            continue
    return None


def name_of(source: str, date: str | None, modality: str = "") -> str:
    """File stem: the source's own, made safe, with the date in front unless it holds one, the modality behind."""
    stem = os.path.splitext(os.path.basename(source.split("?")[0].split("#")[0].rstrip("/").replace("\\", "/")))[0]
    stem = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9.-]", "_", stem))[:80].lstrip(".-") or "scene"
    stem = stem if date_in(stem) or not date else f"{date}_{stem}"
    stem = f"{stem}_{modality}" if modality else stem
    return "valid_scene" if stem == "valid" else stem  # valid.tif is the step's own


def deliver(job, scene: dict, stem: str, layer: bool) -> str:
    """Writes the scene to ``<stem>.tif`` of the outputs, or a layer with its own ending; the file's name.

    Fails with ``source.*``.
    """
    target = os.path.join(job.outputs, f"{stem}.tif")
    path, said, own = _source(job, scene, target)
    try:
        kind = layer_kind(path) if layer else None
        if kind:
            return _keep(path, os.path.join(job.outputs, f"{stem}.{kind}"), own)
        if refuse_other(path, said) == "tiff":
            return _keep(path, target, own)
        with Archive(path, job.parameters["max_bytes"]) as archive:
            if layer and not archive.scenes() and archive.shapefile():
                pack_shapefile(archive, os.path.join(job.outputs, f"{stem}.zip"), stem)
                return f"{stem}.zip"
            with open(target, "wb") as file:
                archive.copy(archive.only_scene(), file)
        if refuse_other(target, f"the .tif in {said}") != "tiff":
            raise StepError("source.not_raster", f"the .tif in {said} is a zip itself: put the GeoTIFF into it")
        return os.path.basename(target)
    finally:
        if own and os.path.exists(path):
            os.remove(path)


def _source(job, scene: dict, target: str) -> tuple[str, str, bool]:
    """(path, what messages call it, whether it is the step's own to move)."""
    if scene.get("member"):
        with open(os.path.join(UNPACKED, "scenes.json"), encoding="utf-8") as file:
            found = [one["file"] for one in json.load(file) if one["member"] == scene["member"]]
        if not found:
            raise StepError("source.changed", f"the zip no longer holds {scene['member'][-120:]}: ask for the inference again")
        return os.path.join(UNPACKED, found[0]), scene["member"][-120:], False
    if scene.get("file"):
        path = os.path.join(job.inputs, os.path.basename(scene["file"]))
        if not os.path.isfile(path):
            raise StepError("source.not_found", f"{scene['file']} is not among the inputs: pass it with --scene or --inputs")
        return path, scene["file"], False
    path = target + ".download"
    try:
        download(job.parameters, scene["url"], path, job.log)
    except BaseException:
        if os.path.exists(path):
            os.remove(path)
        raise
    return path, f"the answer of the URL for {os.path.basename(target)}", True


def download(parameters: dict, url: str, path: str, log) -> None:
    """Fails as :func:`geodag.fetch.fetch`, and with ``source.bad_url`` for a bucket that nobody signed for."""
    signed = secret_of().get("signed", {}).get(url)
    if signed is None and url.startswith("s3://"):
        raise StepError("source.bad_url", f"{url[:120]}: no access to s3:// is configured for it: give an https URL, or ask the operator")
    # An endpoint that the operator named may well be on a network of his own.
    private = parameters["allow_private_hosts"] or signed is not None
    fetch(signed or url, path, parameters["max_bytes"], private, log)


def _keep(path: str, target: str, own: bool) -> str:
    (os.replace if own else shutil.copyfile)(path, target)
    return os.path.basename(target)
