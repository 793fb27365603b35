"""A policy leads: conditions, outcomes, figures."""
