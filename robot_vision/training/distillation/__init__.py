"""Distillation: a student learns from the answers of a teacher, which may be any model.

`open_teacher` opens a run, a bundle of ours or a foreign ONNX bundle; `teacher` feeds it as its
manifest says; `soft_labels`, `maps` and `taught_boxes` are the kinds of teaching; a task holds a
`Distillation`.
"""
