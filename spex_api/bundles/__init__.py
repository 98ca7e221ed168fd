"""An audit → one file that proves where it comes from, and back by whoever has nothing else."""
