"""Random faults injected into the whole loop, and the invariants that must hold. No ROS here."""
