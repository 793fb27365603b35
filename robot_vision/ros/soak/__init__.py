"""The soak: the whole loop in processes of its own, with fault after fault.

`injector` stands between the simulated robot and the service, `watch` hears all that the service
says, `operator` goes on after each fault, `look` samples processes and console, `rig` is what
faults act through, `run` leads, `loop` starts and ends it all. Faults and checks are in
`robot_vision.soak`.
"""
