"""What is computed from a trained model or from its predictions, and drawn."""
