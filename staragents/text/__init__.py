"""Text of seeds, models and servers made safe to store, show and put into prompts, and its words. Imports no
other room."""
