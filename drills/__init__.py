"""Drills: tabletop exercises and the realistic data they run on."""
