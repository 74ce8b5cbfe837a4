"""The frame of a raster program: one result.json, one log.txt, errors by code."""
