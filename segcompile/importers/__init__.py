"""Networks that others made, as graphs of ours with their weights: from ONNX files, and from what is told in ONNX's ops."""
