"""NVIDIA TensorRT: engines built from ONNX files, kept in a cache, and run. TensorRT 8.2 to 10, and TensorRT for RTX."""
