"""Compiled code for this computer: the trainer's inner loops in C, built on first use."""
