"""Images out and images in: live ones are encoded once each, those of clients are analysed.

`encoding` turns arrays into JPEG and PNG, `encoded_pictures` makes each at most once a frame.
`uploads` and `decoder` (with `decode_child`, a process of its own) admit what clients send,
`analyst` answers it, `selected_detections` words and draws the answer, `kept_images` keeps it.
`explainer` has a process of its own explain what a model looks at.
"""
