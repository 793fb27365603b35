"""Distillation: a student learns from the answers of a teacher, whatever model that is.

`open_teacher` opens a run, a bundle of ours or a foreign ONNX bundle; `teacher` feeds it as its
manifest says; `soft_labels`, `maps` and `taught_boxes` are what is learnt from it; a task holds a
`Distillation`.
"""
