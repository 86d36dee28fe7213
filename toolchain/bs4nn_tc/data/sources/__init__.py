"""Sources: a module for each kind of file that people have, and what turns any of them into whole numbers."""
