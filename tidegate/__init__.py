"""What Tidegate decides: pure Python, a function of its inputs."""
