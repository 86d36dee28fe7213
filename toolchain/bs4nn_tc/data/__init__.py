"""Data sets: what people bring, as images and labels."""
