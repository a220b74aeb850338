"""What the rooms keep, and what they reach: the only I/O of onboarding."""
