"""Lints and renders deploy/helm/geodag with the values of the command line (JSON), as `helm lint
--strict` and `helm template` do, and validates each object against Kubernetes' own schemas."""

import json
import sys

import helm_python as helm
import kubernetes_validate
import yaml

WITHOUT_SCHEMA = {"keda.sh/v1alpha1"}  # a custom resource: Kubernetes does not know it

chart, values = sys.argv[1], json.loads(sys.argv[2])
try:
    rendered = helm.Chart.load(chart).render(values, name="eo", namespace="geodag")
except helm.HelmError as error:
    print(json.dumps({"refused": str(error)}))
    sys.exit()
objects, invalid = [], []
for text in rendered.values():
    objects += [one for one in yaml.safe_load_all(text) if one]
for one in objects:
    if one["apiVersion"] in WITHOUT_SCHEMA:
        continue
    try:
        kubernetes_validate.validate(one, "1.30", strict=True)
    except kubernetes_validate.ValidationError as error:
        invalid.append(f"{one['kind']} {one['metadata']['name']}: {error}")
lint = helm.lint(chart, values, strict=True, kube_version="v1.30.0")
print(json.dumps({"lint": lint["errors"], "objects": objects, "invalid": invalid}))
