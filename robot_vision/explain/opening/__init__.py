"""What is explained: a model or a policy, and one picture of anything."""
