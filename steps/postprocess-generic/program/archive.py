"""archive.zip: all that a task made, flat, stored, with a fixed time, so that the same inputs give the same bytes."""

import os
import shutil
import zipfile

ZIPPED = (".tif", ".tif.aux.xml", ".gpkg", ".shp", ".shx", ".dbf", ".cpg", ".prj", ".nc", ".geojson", ".csv")
NOT_ZIPPED = ("valid.tif",)


def write_archive(job) -> None:
    """Every raster, vector and table, and whatever a user's script left, in the order of their names."""
    left = {name for key, name in job.artifacts.items() if key.startswith("processor/")}
    found = {}
    for folder in (job.inputs, job.outputs):
        for name in sorted(os.listdir(folder)):
            if (name.endswith(ZIPPED) or name in left) and name not in NOT_ZIPPED:
                found[name] = os.path.join(folder, name)
    with zipfile.ZipFile(job.write("archive", "archive.zip"), "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(found):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.file_size = os.path.getsize(found[name])  # says beforehand whether the entry must be Zip64
            with open(found[name], "rb") as file, archive.open(entry, "w") as packed:
                shutil.copyfileobj(file, packed, 1 << 20)
