"""What runs the network: torch, or graphs made from it for OpenVINO and ONNX Runtime, behind one value."""
