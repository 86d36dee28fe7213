"""What is measured over many networks or images: curves, sweeps, experiments, instruction counts."""
