"""The soak: the whole loop in processes of its own, with fault after fault.

`injector` sits between the simulated robot and the service, `watch` receives everything from the
service, `operator` carries on after each fault, `look` samples processes and console, faults act
through `rig`, `run` is the sequence, `loop` starts and ends it all. Faults and checks are in
`robot_vision.soak`.
"""
