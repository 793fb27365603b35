"""RLDS episodes as TensorFlow Datasets writes them: TFRecord files, read without TensorFlow."""
