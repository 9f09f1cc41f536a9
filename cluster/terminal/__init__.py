"""What a command shows in a terminal, and the signals it gets from there."""
