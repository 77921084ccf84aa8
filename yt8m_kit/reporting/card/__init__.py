"""The model card of an exported graph."""
