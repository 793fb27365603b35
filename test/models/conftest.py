"""Models are compared with public implementations, which may import torchvision by themselves."""

from references import declare_operators

declare_operators()
