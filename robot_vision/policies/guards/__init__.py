"""What may be commanded: reports of the arm, chunks, watchdog, specs."""
