"""The program `staragents`: one file per command."""
