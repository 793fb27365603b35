"""Torch architectures, one per file: each registers its card in `registry.MODELS`.

Tensors that functions take and return carry their shapes, which the tests check. In `models/`,
`training/`, `explain/` and `ensembles/` an axis has one name:

    b         examples of a batch
    h w       rows and columns of a picture (px), or of the only map a function handles
    hm wm     rows and columns of a map that is coarser than the picture
    rows columns, cells    a grid of tokens, and its cells row by row
    c         channels of a map; classes
    d         width of a token or an embedding
    n m       tokens or objects, and a second set of them
    q k       queries, and the keys they attend to; `heads` of attention
    l         tokens of a text
    p         phrases of a prompt
    a r       candidate boxes of a detector (one or more per cell), and proposed regions
    t a       steps of a chunk or a sequence, and numbers of an action
    s         numbers of an arm's state
    slots     slots of slot attention

An axis that nothing is compared with begins with an underscore (`_h`), and `{count}` is an
argument's value. `Float` includes half precision; `Real` pixels are `uint8`, or floats where an
explanation takes their gradient. Mappings by role or by name of a weight have no shapes here: a
model's card declares those of its inputs and outputs.
"""
