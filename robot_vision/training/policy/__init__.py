"""Training of the policy: demonstrations from the simulated robot, imitation, closed loop."""
