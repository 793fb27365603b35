"""What layers multiply, hold and give, counted without a clock: in torch, and in ONNX."""
