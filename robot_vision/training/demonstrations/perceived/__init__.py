"""What perception makes of demonstrations, as the service would know it: made once, and kept."""
