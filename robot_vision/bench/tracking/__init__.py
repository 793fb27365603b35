"""The tracker against others, on generated scenes and MOT."""
