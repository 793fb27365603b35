"""A simulated arm over a table: physics, cameras, instructed tasks, and an expert that performs
them."""
