"""Proximal policy optimisation alone: who else plays, and what lies on disk, is the business of others."""
