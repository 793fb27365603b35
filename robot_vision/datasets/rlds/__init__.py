"""Episodes in RLDS as TensorFlow Datasets writes them: TFRecord files, read without TensorFlow."""
