"""Programs beside the nodes, for demo, bench, soak and tests: no node imports them.

`monitor` listens, `operator` leads a simulated robot, `player` and `camera` publish recordings,
`recorder` writes one, `processes` starts children, `parameter_file` writes `config/*.yaml`.
"""
