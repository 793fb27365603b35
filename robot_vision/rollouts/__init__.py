"""Episodes of the simulated robot: `collecting` writes what policies learn from, `evaluating`
lets a policy lead and scores it. No torch.
"""
