"""What notebooks show: tables and cards, a line of progress, pictures. None of it is loaded before it is needed."""
