"""The embedded provider of demo and tests: three API formats read and billed, the rest answered honestly and shortly.

It shares no code with the compression it helps to judge: bodies are read here a second time, by other means.
"""
