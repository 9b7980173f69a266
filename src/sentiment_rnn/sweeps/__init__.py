"""Many runs: the callback that plans a sweep, its launchers, and the search."""
