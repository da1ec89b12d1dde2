"""Rooms people talk in: messages from a robot."""
