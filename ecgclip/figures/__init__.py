"""Owns nothing yet."""
