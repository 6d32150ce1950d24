"""Alembic migrations; ``paygate db upgrade`` runs them."""
