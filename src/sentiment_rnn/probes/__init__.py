"""Measurements on a trained model: gradients at inputs and at states, gates, a text read step by step."""
