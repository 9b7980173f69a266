"""From a configuration to a finished run: the engine, the jobs that it runs, and the Hydra callback around them."""
