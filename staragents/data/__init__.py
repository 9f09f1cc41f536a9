"""The user's dataset as a stream of seeds and bad rows; `readers` reads files, `formats` converts rows."""
