"""Owns studies: protocols, rotations, ablations, comparisons and their reports."""
