"""A processor as GEOStudio's guide writes one: input, output and parameters by place.

``keep_above.py INPUT.tif OUTPUT.tif PARAMETERS_JSON``: with ``method`` "threshold", values that are
not above ``threshold`` become 0.
"""

import json
import logging
import sys

import numpy
import rasterio

logging.basicConfig(level=logging.INFO)


def main(input_path: str, output_path: str, parameters: dict) -> int:
    with rasterio.open(input_path) as source:
        data, profile = source.read(), source.profile
    logging.info("read %s of %s", data.shape, input_path)
    if parameters.get("method") == "threshold":
        data = numpy.where(data > parameters.get("threshold", 80), data, 0).astype(data.dtype)
    with rasterio.open(output_path, "w", **profile) as target:
        target.write(data)
    print(json.dumps({"status": "success", "output_path": output_path}))
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit("usage: keep_above.py INPUT OUTPUT PARAMETERS_JSON")
    sys.exit(main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3])))
