"""Types, geometry and parameters shared by every stage. Depends on NumPy and pydantic only."""
