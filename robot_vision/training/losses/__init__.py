"""One loss per file, as functions of tensors. Those with matching (`assign`, `hungarian`) also
decide which prediction answers for which object.
"""
