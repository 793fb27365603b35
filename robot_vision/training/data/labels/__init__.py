"""Labels of pictures: classes, masks, boxes, names."""
