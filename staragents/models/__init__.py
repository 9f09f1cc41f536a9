"""Model names: the packaged small models, and the sizes of models for `plan`."""
