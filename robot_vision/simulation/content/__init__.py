"""What scenes are made of: shapes, objects, colours, textures."""
