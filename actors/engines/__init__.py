"""Implementations of `staragents.base.generation.Engine`: vLLM, any OpenAI-compatible server, a recorded
table, and a fake.

Each module imports its library only when its engine is used; `choice.make_engine` picks one.
"""
