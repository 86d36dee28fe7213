"""A network to packed C arrays, exact bytes, and a PlatformIO project that stands alone."""
