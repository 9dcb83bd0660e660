"""The systems that Keyturn takes over from: one pure file each maps its names to ours, and nothing of it leaks.

``moving.move`` finds out whose a configuration is and reads it. docs/moving.md has the rules in words.
"""
