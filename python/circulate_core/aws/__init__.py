"""What runs on AWS: Lambda handlers, and what runs them on this machine."""
