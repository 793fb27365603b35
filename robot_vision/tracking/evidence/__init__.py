"""Support of a pair of track and detection."""
