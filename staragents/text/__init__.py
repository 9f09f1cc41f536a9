"""Text of seeds, models and servers made safe to store, show and put into prompts. Imports no other room."""
