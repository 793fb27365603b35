"""Opens what is explained: a model or a policy, and one picture from any source."""
