"""What is built from the project: wheel, source archive, image and recipe."""
