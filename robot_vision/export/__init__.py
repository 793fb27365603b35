"""From a run to a bundle: `run_folder` opens the run, `graph` writes ONNX, `parity` compares it
with the trained model, `quantise` makes INT8, `bundle` writes the folder. `measuring` evaluates
any bundle on a set as the service runs it; `sheets` draws its answers.
"""
