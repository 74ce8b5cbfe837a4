"""A tune's way with geostudio 0.1.5: upload, poll, try out, submit, download, delete; against a running server."""

import json
import os
import sys
import time

import requests
from geostudio import Client

base, key, scene, config, checkpoint, metadata = sys.argv[1:]
os.environ["GEOSTUDIO_API_KEY"] = key
os.environ["BASE_STUDIO_UI_URL"] = base + "/"
settings = os.path.join(os.environ["HOME"], "geostudio.env")
with open(settings, "w") as file:
    file.write(f"GEOSTUDIO_API_KEY={key}\nBASE_STUDIO_UI_URL={base}/\n")
client = Client(geostudio_config_file=settings)
with open(metadata) as file:
    options = json.load(file)


def share(path):
    uploaded = client.upload_file(path)
    return uploaded["download_url"] if isinstance(uploaded, dict) else uploaded


started = client.upload_completed_tunes({
    "name": "tiny-water-mine", "description": "a tune of my own",
    "tune_config_url": share(config), "tune_checkpoint_url": share(checkpoint), **options,
})
tune_id = started["tune_id"]
for _ in range(600):
    tune = client.get_tune(tune_id)
    if tune["status"] in ("Finished", "Failed"):
        break
    time.sleep(1)
place = {
    "location": "Lake", "description": "by the SDK", "temporal_domain": ["2024-06-01"],
    "spatial_domain": {"bbox": [], "polygons": [], "tiles": [], "urls": [share(scene)]},
}
tried = client.try_out_tune(tune_id, place)
tried_end = client.poll_inference_until_finished(tried["id"])
submitted = client.submit_inference({"model_display_name": "geofm-sandbox-models", "fine_tuning_id": tune_id, **place})
submitted_end = client.poll_inference_until_finished(submitted["id"])
files = client.download_tune(tune_id)
listed = [one["id"] for one in client.list_tunes()["results"]]
print(json.dumps({
    "started": started, "tune": tune, "listed": tune_id in listed,
    "tried": [tried["id"], tried_end["status"]], "submitted": [submitted["id"], submitted_end["status"]],
    "checkpoint_bytes": len(requests.get(files["checkpoint_url"]).content), "config": requests.get(files["config_url"]).text,
    "log": requests.get(tune["logs_presigned_url"]).text, "deleted": client.delete_tune(tune_id),
    "gone": client.get_tune(tune_id),
}))
