"""A sweep that searches: Optuna proposes the values of each trial from what the earlier ones found."""
