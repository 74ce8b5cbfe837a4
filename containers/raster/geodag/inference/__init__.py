"""An ONNX model over a scene: what every step that runs a model shares."""
