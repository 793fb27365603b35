"""The cost of a model: time, multiplications and memory, by layer and operator.

`targets` opens models as networks in torch and in ONNX; `engines` run them. `times`, `memory` and
`operators` measure; `counting` needs no clock; `profile` joins them and `tables` shows the result.
`live` reads traces of the running node.
"""
