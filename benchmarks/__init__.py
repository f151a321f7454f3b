"""What httpguard costs. Measurements to read, never timed tests."""
