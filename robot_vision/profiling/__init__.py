"""What a model costs: time, multiplications, memory, and where they go.

`targets` opens what is profiled as networks in torch and in ONNX; `engines` run them. `times`,
`memory` and `operators` measure; `counting` needs no clock;
`profile` joins them and `tables` shows the result. `live` reads traces of the running node.
"""
