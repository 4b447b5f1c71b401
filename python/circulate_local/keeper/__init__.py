"""Runs inside a sandbox and keeps the processes of one execution environment.

A keeper is a process of its own, started by path with the standard library alone, so nothing here imports the package.
"""
