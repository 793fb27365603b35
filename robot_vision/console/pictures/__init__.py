"""Images out and in: live images are encoded once each, clients' images are analysed.

`encoding` turns arrays into JPEG and PNG, `encoded_pictures` makes each at most once a frame.
`uploads` and `decoder` (with `decode_child`, a separate process) admit clients' files, `analyst`
analyses them, `selected_detections` formats and draws the result, `kept_images` stores it.
`explainer` runs a separate process that explains what a model looks at.
"""
