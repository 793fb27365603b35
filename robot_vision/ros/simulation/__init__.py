"""The node `robot_sim`: cameras and an arm on topics, commands in.

`physics` advances at an even tick, `cameras` renders exposures and publishes them at their time,
`scene` has one task and a twin for rendering only, `transforms` publishes /tf.
"""
