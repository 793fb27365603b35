"""The node `demonstrations`: a robot's topics become episodes of a LeRobot dataset.

`topics` receives, `worker` owns the dataset and writes, `format` derives its columns, `operator`
begins and ends episodes from the command line.
"""
