"""Common code of tasks that learn an encoder from frames without labels.

`frame_sources` and `frames` decode pictures, bags and datasets once; `views` changes them at
random; `losses`; `probes`, `collapse` and `attention` judge the result.
"""
