"""Groups of parameters, a file each."""
