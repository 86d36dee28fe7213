"""From a network to a board: packing, generated C, projects, PlatformIO."""
