"""The node `demonstrations`: a robot's topics become episodes of a LeRobot dataset.

`topics` hears, `worker` owns the dataset and writes, `format` derives its columns, `operator` is
the command line that begins and ends episodes.
"""
