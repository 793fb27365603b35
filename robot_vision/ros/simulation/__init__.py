"""The node `robot_sim`: cameras and an arm on topics, commands in.

`physics` advances at an even tick, `cameras` draws what was exposed and publishes at its moment,
`scene` has one task and its twin that is only looked at, `transforms` publishes /tf.
"""
