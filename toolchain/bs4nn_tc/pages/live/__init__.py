"""A web page on this computer that shows a network at work: draw, and a target answers."""
