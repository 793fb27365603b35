"""Pictures, crops and feature maps, decoded or computed once."""
