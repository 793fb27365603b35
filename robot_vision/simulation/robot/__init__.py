"""A simulated arm over a table: physics, cameras, tasks in words, and an expert that does them."""
