"""Ways of preparing pictures that many projects share."""

# Mean and deviation of ImageNet's colours, for pixels from 0 to 1.
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}

# The same for pixels from 0 to 255, blue first, as OpenMMLab's projects and NanoDet have it.
IMAGENET_BGR = {
    "color": "bgr",
    "scale": 1.0,
    "mean": (103.53, 116.28, 123.675),
    "std": (57.375, 57.12, 58.395),
}
