"""What a folder of programs is run with: copied into the folder, and in need of nothing of this package."""
