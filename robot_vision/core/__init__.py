"""Types, geometry and parameters shared by every stage. NumPy and pydantic, nothing else."""
