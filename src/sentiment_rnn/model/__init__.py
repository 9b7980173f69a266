"""Token ids in, the logit of a positive review out."""
