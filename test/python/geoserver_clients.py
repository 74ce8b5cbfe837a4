"""What clients that are on PyPI do with a GeoServer: geoserver-rest and geoserver-restconfig.

Called with its address and a folder with 2024-08-12_a.tif, a.zip (mosaic), b.zip (granule), s.sld.
"""

import sys
from pathlib import Path

import requests
from geo.Geoserver import Geoserver, GeoserverException
from geoserver.catalog import Catalog

url, folder = sys.argv[1], Path(sys.argv[2])
auth = ("admin", "geoserver")


def status(path: str) -> int:
    """Status of a GET below /rest."""
    return requests.get(f"{url}/rest/{path}", auth=auth, timeout=300).status_code


rest = Geoserver(url, username="admin", password="geoserver")
assert rest.get_version()["about"]["resource"][0]["Version"]
rest.create_workspace("rest")
try:
    rest.create_workspace("rest")
    raise SystemExit("a workspace was made twice")
except GeoserverException as error:
    assert error.status == 409, error.status
rest.create_coveragestore(path=str(folder / "2024-08-12_a.tif"), workspace="rest", layer_name="tif")
assert rest.get_coveragestore("tif", "rest")["coverageStore"]["type"] == "GeoTIFF"
rest.upload_style(str(folder / "s.sld"), name="s", workspace="rest")
assert status("workspaces/rest/styles/s.json") == 200
try:
    # It names no workspace, so it means a global style, and there is none.
    rest.publish_style("tif", "s", "rest")
    raise SystemExit("a style of another workspace was taken")
except GeoserverException as error:
    assert error.status == 500, error.status
rest.delete_coveragestore("tif", "rest")
assert status("workspaces/rest/coveragestores/tif.json") == 404

catalog = Catalog(f"{url}/rest", username="admin", password="geoserver")
# Against 3.x this client fails here: it asks for /namespaces/, and a trailing slash is a 404 there.
workspace = catalog.create_workspace("config", "http://config")
assert workspace.name == "config"
catalog.create_imagemosaic("mosaic", str(folder / "a.zip"), workspace="config")
store = catalog.get_store("mosaic", "config")
assert store.type == "ImageMosaic"
catalog.add_granule(str(folder / "b.zip"), store, "config")
found = catalog.list_granules("mosaic", store, "config")["features"]
assert sorted(one["properties"]["location"] for one in found) == [
    "2024-08-12_a.tif",
    "2024-08-13_a.tif",
], found
catalog.delete_granule("mosaic", store, found[0]["id"], "config")
assert len(catalog.list_granules("mosaic", store, "config")["features"]) == 1
catalog.create_style("t", (folder / "s.sld").read_text(), workspace="config")
catalog.delete(store, purge="all", recurse=True)
assert status("workspaces/config/coveragestores/mosaic.json") == 404
print("done")
