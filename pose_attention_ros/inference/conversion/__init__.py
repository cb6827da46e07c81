"""Networks that others published in TensorFlow's formats, read and written as ONNX: a reader for each format, one writer."""
