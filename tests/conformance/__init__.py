"""What bodies that others wrote must become."""
