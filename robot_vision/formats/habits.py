"""How pictures are prepared where many projects do it alike."""

# Mean and deviation of ImageNet's colours, for pixels from 0 to 1.
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
