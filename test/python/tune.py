"""Every method of geostudio 0.1.5 for tunes, and a tune deployed as a model; against a running server."""

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
polled = client.poll_finetuning_until_finished(tune_id)
changed = client.update_tune(tune_id, {"name": "renamed", "train_options": {"inferencing": {"note": 1}}})
after = client.get_tune(tune_id)
place = {
    "location": "Lake", "description": "by the SDK", "temporal_domain": ["2024-06-01"],
    "spatial_domain": {"bbox": [], "polygons": [], "tiles": [], "urls": [share(scene)]},
}
tried = client.try_out_tune(tune_id, place)
submitted = client.submit_inference({"model_display_name": "geofm-sandbox-models", "fine_tuning_id": tune_id, **place})
model = client.create_model({"display_name": "from-a-tune"})
deployed = client.deploy_model(model["id"], {"fine_tuned_model_id": tune_id})
of_model = client.submit_inference({"model_id": model["id"], **place})
ends = [[one["id"], client.poll_inference_until_finished(one["id"])["status"]] for one in (tried, submitted, of_model)]
files = client.download_tune(tune_id)
listed = client.list_tunes()
# Of the training, which geodag does not do: told, and no method of the client fails.
training = {
    "metrics": client.get_tune_metrics(tune_id), "frame": len(client.get_tune_metrics_df(tune_id)),
    "mlflow": client.get_mlflow_metrics(tune_id),
    "templates": client.list_tune_templates(), "base_models": client.list_base_models(), "datasets": client.list_datasets(),
    "submit": client.submit_tune({"name": "other-tune", "dataset_id": "x", "tune_template_id": model["id"]}),
}
print(json.dumps({
    "started": started, "tune": tune, "polled": polled["status"], "listed": tune_id in [one["id"] for one in listed["results"]],
    "table": list(client.list_tunes(output="df")["id"]) == [one["id"] for one in listed["results"]],
    "changed": changed, "after": after, "ends": ends, "deployed": deployed, "training": training,
    "checkpoint_bytes": len(requests.get(files["checkpoint_url"]).content), "config": requests.get(files["config_url"]).text,
    "log": requests.get(tune["logs_presigned_url"]).text, "deleted": client.delete_tune(tune_id),
    "gone": client.get_tune(tune_id), "model": client.get_model(model["id"]),
}))
