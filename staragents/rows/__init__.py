"""A dataset's files as a stream of raw rows, and a raw row as a conversation.

May import the root modules of `staragents` only.
"""
