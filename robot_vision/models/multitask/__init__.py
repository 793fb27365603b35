"""Networks with several outputs: `native` is the model that ships, `multi_task` any encoder with
light heads.
"""
