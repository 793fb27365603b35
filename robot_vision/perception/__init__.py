"""From a frame to what is in it: `perceiver` runs the models (`preprocess` → `model` → `detect`,
`whole_picture`, `ground`), `depth` completes the sensor's depth, `lift` gives objects positions
in space.
"""
