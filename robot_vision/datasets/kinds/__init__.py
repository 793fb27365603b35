"""One file per kind of dataset: how to recognise and open it. See `open_dataset`."""
